"""The shape of errors (RFC 9457): every refusal is a `Problem` with a stable code, a status and a sentence.

Nothing reads the sentence; programs read the code and the data members. `docs/errors.md` is generated from the classes.
"""

import inspect
from typing import Any, ClassVar


class Problem(Exception):
    """A refusal that names what is wrong and the cure.

    `reason` is the name the Rasa X routes give it. `data` are extra members of the problem document; `errors` maps
    a field to its sentences; `headers` go onto the response (`Retry-After`, `WWW-Authenticate`). The docstring of a
    subclass says what it means, `cure` what to do about it in general: both are its page under `/problems/`.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"
    reason: ClassVar[str] = "InternalError"
    cure: ClassVar[str] = ""

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

    @classmethod
    def meaning(cls) -> str:
        return " ".join((inspect.getdoc(cls) or "").split())


def known() -> list[type[Problem]]:
    """Every problem there is, by code."""
    found, waiting = set(), [Problem]
    while waiting:
        below = waiting.pop().__subclasses__()
        found.update(below)
        waiting.extend(below)
    return sorted(found, key=lambda problem: problem.code)


class BadRequest(Problem):
    """The request is malformed: a query parameter, a header or the body's syntax."""

    code, status, title, reason = "bad-request", 400, "The request could not be understood", "BadRequest"
    cure = "Send what the detail asks for; `/api/docs/` shows every parameter."


class InvalidFields(Problem):
    """Members of the body are missing, unknown or not of their type; `errors` tells which."""

    code, status, title, reason = "invalid-fields", 400, "Some fields are not valid", "BadRequest"
    cure = "Correct each field that `errors` names."


class Unauthorized(Problem):
    """There are no credentials, or they are unknown, expired or revoked."""

    code, status, title, reason = "unauthorized", 401, "Sign in, or send a valid token", "NotAuthenticated"
    cure = (
        "Sign in, or send `Authorization: Bearer` with an API token (cpt_…) that is listed as usable, or the token "
        "that `POST /api/auth` gave."
    )

    def __init__(self, detail: str = "Auth required.", **data: Any) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="controlplane"'}, **data)


class MissingGrant(Problem):
    """`grant` names what is missing, as an administrator would give it."""

    code, status, title, reason = "missing-grant", 403, "You may not do this", "NotAuthorized"
    cure = "Ask an administrator for the grant that is named, or use a token that is not narrower than that."

    def __init__(self, grant: str) -> None:
        super().__init__(f"This needs the grant {grant}. Ask an administrator for it.", grant=grant)


class CsrfFailed(Problem):
    """The session's request carried no CSRF token, or an old one."""

    code, status, title, reason = "csrf-failed", 403, "The page was too old", "NotAuthorized"
    cure = "Reload the page and try again; scripts send an API token instead of a session."


class SignInLocked(Problem):
    """Too many wrong passwords for this user name, or for many names, came from this address; the right one is not
    tried either."""

    code, status, title, reason = "sign-in-locked", 429, "Too many wrong passwords", "TooManyRequests"
    cure = "Wait for the seconds of `Retry-After`, or ask an administrator to take the lock away."

    def __init__(self, seconds: int) -> None:
        wait = f"{seconds} s" if seconds < 60 else f"{-(-seconds // 60)} min"
        super().__init__(
            f"Too many wrong passwords came from your address. Try again in {wait}, "
            "or ask an administrator to take the lock away.",
            headers={"Retry-After": str(seconds)},
        )


class LinkSpent(Problem):
    """The one-time link was used, has expired, or was ended by a newer one or by a change of the account's roles."""

    code, status, title, reason = "link-spent", 410, "This link leads nowhere any more", "Gone"
    cure = "Ask an administrator for a new link; each works once, for three days."

    def __init__(self) -> None:
        super().__init__(
            "It was used, is older than three days, a newer one took its place, or your roles were changed since. Sign "
            "in if you have set a password; otherwise ask the administrator who sent it for a new one."
        )


class NotFound(Problem):
    """Also for what one may not see."""

    code, status, title, reason = "not-found", 404, "There is no such thing", "NotFound"
    cure = "Check name, project and address; ask an administrator if you should see it."


class MethodNotAllowed(Problem):
    """The address exists and does not answer to this method."""

    code, status, title, reason = (
        "method-not-allowed",
        405,
        "This route does not take that method",
        "MethodNotAllowed",
    )
    cure = "Use one of the methods in the `Allow` header."


class UnsupportedMediaType(Problem):
    """The body has a `Content-Type` that this route does not read."""

    code, status, title, reason = (
        "unsupported-media-type",
        415,
        "The body is of a type that is not understood here",
        "UnsupportedMediaType",
    )
    cure = "Send `Content-Type: application/json`, or multipart/form-data to the upload routes."


class BodyTooLarge(Problem):
    """The JSON body is longer than any route needs."""

    code, status, title, reason = "body-too-large", 413, "The body is too large", "BodyTooLarge"
    cure = "Send less; archives and bundles go to the upload routes as multipart."


class Busy(Problem):
    """Too many long requests at a time; `Retry-After` says when to try again."""

    code, status, title, reason = "busy", 503, "Too many at a time", "ServiceUnavailable"
    cure = "Repeat the request after the seconds of `Retry-After`."

    def __init__(self, detail: str, *, retry_after: int = 5) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class SecretUnreadable(Problem):
    """A stored secret was sealed with a key that this installation does not have, or is damaged."""

    code, status, title, reason = "secret-unreadable", 503, "A stored secret cannot be read", "SecretUnreadable"
    cure = (
        "Add the earlier installation key to `CONTROLPLANE_SECRET_KEY_FALLBACKS`, or give the secret again: "
        "`manage.py sync_environments` applies those of environments.yml."
    )


class OtherInstallationKey(Problem):
    """This process has another installation key than the one that seals the secrets of its database: each would spoil
    what the other writes."""

    code, status, title, reason = "other-installation-key", 503, "The installation key is another one", "WrongKey"
    cure = (
        "Give every process the same `CONTROLPLANE_SECRET_KEY`, or the same file `secret-key`. If the earlier key is "
        "lost for good, run `manage.py prepare --key-is-lost` once."
    )

    def __init__(self, fingerprint: str) -> None:
        super().__init__(
            f"The secrets of this database are sealed under another installation key (fingerprint {fingerprint}). Give "
            "every process the same CONTROLPLANE_SECRET_KEY, or the file secret-key of the home where it was made; or "
            "add the earlier key to CONTROLPLANE_SECRET_KEY_FALLBACKS. If it is lost for good, run "
            "`manage.py prepare --key-is-lost` once.",
            headers={"Retry-After": "5"},
        )


class InternalError(Problem):
    """A fault of ours; the answer has no details, the log has them under the name in `incident`."""

    code, status, title, reason = "internal-error", 500, "The control plane made a mistake", "InternalError"
    cure = "Repeat it once; if it stays, look for `incident` in the log of the web process and report it."
