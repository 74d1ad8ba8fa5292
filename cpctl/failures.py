"""Why a command did not do what it was told: an exit status, and a problem (RFC 9457) as the API writes them."""

import json
from typing import Any

import httpx

from cpctl.exits import MEANINGS, Exit

Problem = dict[str, Any]

# Statuses that say nothing about the request: the server, or a proxy before it, could not answer.
AWAY = frozenset({500, 502, 503, 504})


class Failure(Exception):
    """Ends the command with `exit`. `problem` is what `--json` prints."""

    def __init__(self, exit: Exit, detail: str, *, title: str = "", problem: Problem | None = None) -> None:
        super().__init__(detail)
        self.exit = exit
        self.detail = detail
        self.title = title
        self.problem = problem or {
            "type": f"cpctl:{exit.name.lower().replace('_', '-')}",
            "title": title or MEANINGS[exit],
            "status": None,
            "detail": detail,
        }

    def sentence(self) -> str:
        """All of it in one line."""
        text = f"{self.title}: {self.detail}" if self.title else self.detail
        fields: dict[str, list[str]] = self.problem.get("errors") or {}
        told = [f"{field}: {' '.join(found)}" for field, found in fields.items() if field and field not in self.detail]
        return " ".join(f"{text} {'; '.join(told)}".split())


def usage(detail: str) -> Failure:
    return Failure(Exit.USAGE, detail)


def unreachable(url: str, why: str) -> Failure:
    return Failure(Exit.UNREACHABLE, f"{url} cannot be reached ({why}).", title="The control plane does not answer")


def refusal(problem: Problem) -> Failure:
    """What the control plane said no with."""
    status = int(problem.get("status") or 0)
    exit = Exit.NOT_SIGNED_IN if status == 401 else Exit.UNREACHABLE if status in AWAY else Exit.REFUSED
    return Failure(exit, str(problem.get("detail", "")), title=str(problem.get("title", "")), problem=problem)


def of_response(response: httpx.Response) -> Failure:
    """The failure that an answer other than 2xx is; its body was read."""
    try:
        document = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        document = None
    if isinstance(document, dict) and "title" in document:
        return refusal(document)
    if isinstance(document, dict) and "reason" in document and "message" in document:
        return refusal(_from_rasa(document, response.status_code))
    return of_another(response)


def _from_rasa(document: dict[str, Any], status: int) -> Problem:
    """The body of a Rasa X route holds the same: its `details` are the problem's type and data."""
    details = document.get("details") or {}
    code = str(details.get("type", "")).rpartition("/")[2]
    title = code.replace("-", " ").capitalize() or str(document["reason"])
    return {"title": title, "status": status, "detail": document["message"], **details}


def of_another(response: httpx.Response) -> Failure:
    """An answer that the control plane would not give: a proxy's, or that of another server."""
    location = response.headers.get("location")
    if response.is_redirect and location:
        detail = f"{response.request.url} redirects to {location[:200]}. Use that address; no token is sent along."
    else:
        detail = (
            f"{response.request.method} {response.request.url} answered {response.status_code} "
            f"{response.reason_phrase} and not as the control plane does. Check the URL."
        )
    title = "This is not the control plane"
    return refusal({"type": "cpctl:answer", "title": title, "status": response.status_code, "detail": detail})
