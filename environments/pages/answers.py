"""What a bot said and understood, as pages show it. Nothing of it is trusted, and nothing in it is loaded.

A picture on another host is a link that says where it leads: loading it would tell that host who reads, and the
Content-Security-Policy forbids it. One that came as `data:` is shown.
"""

import json
import re
from typing import Any
from urllib.parse import urlsplit

from environments.trackers import Turn, plain

KNOWN = frozenset({"recipient_id", "text", "image", "buttons", "quick_replies"})
PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]{1,32000}")
LONGEST_TEXT = 4000
LONGEST_JSON = 3000
MOST_BUTTONS = 30


def shown(answer: dict[str, Any]) -> dict[str, Any]:
    """One message of a bot: `text`, a `link` to a picture on `host` or the `picture` itself, `buttons`, and as `json`
    all that has no form of its own."""
    # Before it is cut: half a picture is none.
    image = answer.get("image")
    answer = plain(answer)
    told = {"text": _text(answer.get("text")), **_image(image), "buttons": _buttons(answer)}
    other = {name: value for name, value in answer.items() if name not in KNOWN and value}
    if not other:
        return told
    return told | {"json": as_json(other["custom"] if list(other) == ["custom"] else other)}


def _text(value: Any) -> str:
    return value[:LONGEST_TEXT] if isinstance(value, str) else ""


def _image(address: Any) -> dict[str, str]:
    if not address or not isinstance(address, str):
        return {}
    if PICTURE.fullmatch(address):
        return {"picture": address}
    address = _text(plain(address))
    try:
        parts = urlsplit(address)
        web = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        web = False
    return {"link": address, "host": parts.hostname or ""} if web else {"odd": address[:200]}


def _buttons(answer: dict[str, Any]) -> list[dict[str, str]]:
    """Buttons and quick replies; a button that leads to a page cannot be said."""
    groups = [answer.get(name) for name in ("buttons", "quick_replies")]
    found = [one for group in groups if isinstance(group, list) for one in group if isinstance(one, dict)]
    titled = [(_text(one.get("title")), _text(one.get("payload"))) for one in found[:MOST_BUTTONS]]
    return [{"title": title or payload, "payload": payload or title} for title, payload in titled if title or payload]


def as_json(value: Any) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= LONGEST_JSON else f"{text[:LONGEST_JSON]}\n…"


def heard(turn: Turn) -> dict[str, Any]:
    """What the bot made of a message."""
    return {
        "intent": turn.intent[:300],
        "confidence": turn.confidence,
        "ranking": [[name[:100], share] for name, share in turn.ranking if name != turn.intent][:3],
        "entities": [[_text(one.get("entity"))[:100], _value(one.get("value"))] for one in turn.entities[:20]],
        "actions": [[one.name[:200], one.policy[:100], one.confidence] for one in turn.actions[:20]],
        "slots": [[name[:100], _value(value)] for name, value in turn.slots[:20]],
    }


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:120]}…"


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """In what two bots differ on the same words: the names of it. How sure they are is no difference."""
    found = []
    mine, others = one.get("heard"), other.get("heard")
    if mine and others:
        found += [name for name in ("intent", "entities") if mine[name] != others[name]]
        if [name for name, *_ in mine["actions"]] != [name for name, *_ in others["actions"]]:
            found.append("actions")
        found += ["slots"] if mine["slots"] != others["slots"] else []
    if one.get("answers") != other.get("answers"):
        found.append("answer")
    return found
