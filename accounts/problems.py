"""The shape of errors (RFC 9457): every refusal is a `Problem` with a stable code, a status and a sentence.

Nothing reads the sentence; programs read the code and the data members. `docs/errors.md` lists all of them, tested.
"""

from typing import Any, ClassVar


class Problem(Exception):
    """A refusal that names what is wrong and the cure.

    `reason` is the name the Rasa X routes give it. `data` are extra members of the problem document; `errors` maps
    a field to its sentences; `headers` go onto the response (`Retry-After`, `WWW-Authenticate`).
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"
    reason: ClassVar[str] = "InternalError"

    def __init__(
        self,
        detail: str,
        *,
        errors: dict[str, list[str]] | None = None,
        headers: dict[str, str] | None = None,
        **data: Any,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.data = data

    def document(self, instance: str) -> dict[str, Any]:
        """The `application/problem+json` body."""
        document = {
            "type": f"/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            **self.data,
        }
        return document | {"errors": self.errors} if self.errors else document


class BadRequest(Problem):
    code, status, title, reason = "bad-request", 400, "The request could not be understood", "BadRequest"


class InvalidFields(Problem):
    code, status, title, reason = "invalid-fields", 400, "Some fields are not valid", "BadRequest"


class Unauthorized(Problem):
    code, status, title, reason = "unauthorized", 401, "Sign in, or send a valid token", "NotAuthenticated"

    def __init__(self, detail: str = "Auth required.", **data: Any) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="controlplane"'}, **data)


class MissingGrant(Problem):
    """`grant` names what is missing, as an administrator would give it."""

    code, status, title, reason = "missing-grant", 403, "You may not do this", "NotAuthorized"

    def __init__(self, grant: str) -> None:
        super().__init__(f"This needs the grant {grant}. Ask an administrator for it.", grant=grant)


class CsrfFailed(Problem):
    code, status, title, reason = "csrf-failed", 403, "The page was too old", "NotAuthorized"


class NotFound(Problem):
    """Also for what one may not see."""

    code, status, title, reason = "not-found", 404, "There is no such thing", "NotFound"


class MethodNotAllowed(Problem):
    code, status, title, reason = (
        "method-not-allowed",
        405,
        "This route does not take that method",
        "MethodNotAllowed",
    )


class UnsupportedMediaType(Problem):
    code, status, title, reason = (
        "unsupported-media-type",
        415,
        "The body is of a type that is not understood here",
        "UnsupportedMediaType",
    )


class BodyTooLarge(Problem):
    code, status, title, reason = "body-too-large", 413, "The body is too large", "BodyTooLarge"


class Busy(Problem):
    """Too many long requests at a time; `Retry-After` says when to try again."""

    code, status, title, reason = "busy", 503, "Too many at a time", "ServiceUnavailable"

    def __init__(self, detail: str, *, retry_after: int = 5) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class InternalError(Problem):
    code, status, title, reason = "internal-error", 500, "The control plane made a mistake", "InternalError"
