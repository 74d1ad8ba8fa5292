"""Who may what, told a second time and independently of the product: from design, section 6, and nothing else."""

from dataclasses import dataclass

from tests.doors.cast import Caller
from tests.doors.rows import Row

SAFE = ("GET", "HEAD")

ROLES = {
    "developer": {
        *("environments.read", "models.read", "models.write", "models.delete", "training.read", "training.write"),
        *("evaluations.read", "evaluations.write", "pipelines.read", "pipelines.write"),
        *("conversations.read", "conversations.write", "tokens.write"),
        # Every environment of the world that is not protected.
        *("environments.experimental.write", "environments.worker.write", "environments.staging.write"),
    },
    "annotator": {
        *("environments.read", "models.read", "evaluations.read", "conversations.read", "conversations.write"),
    },
    "tester": {"environments.read", "models.read", "conversations.write"},
}


@dataclass(frozen=True)
class Outcome:
    """The status, and what a refusal says: `grant` where one is missing, `csrf` where the page was too old,
    `first` where one is sent before."""

    status: int
    grant: str | None = None
    csrf: bool = False
    first: str | None = None


SIGN_IN_FIRST = Outcome(302, first="/sign-in/")
UNAUTHORIZED = Outcome(401)
UNSEEN = Outcome(404)


def is_page(path: str) -> bool:
    return not path.startswith(("/api/", "/models/", "/conversations/", "/metrics"))


def is_chat(row: Row) -> bool:
    return row.method == "POST" and row.path.endswith("/messages")


def holds(caller: Caller, grant: str) -> bool:
    """In project `default`."""
    if caller.narrowed_to is not None and grant not in caller.narrowed_to:
        return False
    return caller.role == "admin" or grant in ROLES.get(caller.role, ())


def expected(row: Row, caller: Caller) -> Outcome:
    page = is_page(row.path)
    if page and not caller.csrf and row.method not in SAFE:
        return Outcome(403, csrf=True)
    if row.needs == ("anybody",):
        signed_in = caller.sends == "session" and caller.active
        return Outcome(row.ok_signed_in if signed_in and row.ok_signed_in else row.ok)
    if row.needs == ("signature",):
        return Outcome(row.ok if caller.sends == "signature" else 401)
    if caller.sends == "end user" and is_chat(row):
        return Outcome(row.ok)
    if not recognised(row, caller, page):
        return SIGN_IN_FIRST if page else UNAUTHORIZED
    if caller.server:
        return Outcome(row.ok if caller.server in row.servers else 403)
    if not caller.csrf and row.method not in SAFE:
        return Outcome(403, csrf=True)
    return next((refused for word in row.needs if (refused := refusal(word, caller, row))), Outcome(row.ok))


def recognised(row: Row, caller: Caller, page: bool) -> bool:
    """Whether the route takes this kind of credential, and this one is good."""
    if caller.server:
        return bool(row.servers)
    if page:
        return caller.active and caller.sends == "session"
    if row.path == "/metrics":
        return caller.active and caller.sends == "bearer"
    if caller.sends == "api_token":
        return caller.active and not row.path.startswith("/api/v1/")
    return caller.active


def refusal(word: str, caller: Caller, row: Row) -> Outcome | None:
    if word == "signed in":
        return None
    if word == "own account":
        return Outcome(403) if caller.narrowed_to is not None else None
    if word == "member of any":
        return None if caller.user != "outsider" else UNSEEN
    if caller.role is None:
        return UNSEEN
    if word == "member":
        return None
    if word == "sees environments":
        return None if holds(caller, "environments.read") else UNSEEN
    if word == "author":
        return None if caller.user == "admin" else Outcome(403)
    return None if holds(caller, word) else Outcome(403, grant=word)
