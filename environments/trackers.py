"""What the tracker of a conversation tells, turn by turn (rasa-facts, section 3). Pure: values in, values out.

A tracker is what a server says: whatever has another shape than Rasa gives it is passed over.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

# What Rasa does between turns, of no interest to who reads them.
UNTOLD = frozenset({"action_listen", "action_session_start", "session_started_metadata"})
# They find numbers, times and names in any text: what they find is no part of training data.
PRETRAINED = frozenset({"DucklingEntityExtractor", "DucklingHTTPExtractor", "SpacyEntityExtractor"})
LONGEST_WORDS = 10_000
DEEPEST = 20


@dataclass(frozen=True)
class Action:
    """`confidence` is how sure the policy was, None where Rasa does not tell."""

    name: str
    policy: str = ""
    confidence: float | None = None


@dataclass
class Turn:
    """What was said, `text`, and what the bot made of it. `text` is None of what it did before anybody spoke.

    `at` is in seconds since 1970. `ranking` holds the intents that it thought of next, each with its confidence;
    `slots` what it remembered, in order; `answers` its messages as its REST channel gives them.
    """

    text: str | None = None
    at: float | None = None
    intent: str = ""
    confidence: float | None = None
    ranking: list[tuple[str, float]] = field(default_factory=list)
    entities: list[dict[str, Any]] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    slots: list[tuple[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    model_id: str = ""
    channel: str = ""

    @property
    def policies(self) -> list[str]:
        return list(dict.fromkeys(action.policy for action in self.actions if action.policy))

    @property
    def least_action_confidence(self) -> float | None:
        return min((one.confidence for one in self.actions if one.confidence is not None), default=None)


def turns(tracker: Any) -> list[Turn]:
    """The conversation, oldest first."""
    found = [Turn()]
    for event in _list(tracker.get("events") if isinstance(tracker, dict) else None):
        if not isinstance(event, dict):
            continue
        if event.get("event") == "user":
            found.append(_heard(event))
        else:
            _add(found[-1], event)
    return found if found[0].answers else found[1:]


def _heard(event: dict[str, Any]) -> Turn:
    parsed, metadata = _dict(event.get("parse_data")), _dict(event.get("metadata"))
    intent = _dict(parsed.get("intent"))
    ranking = [(_words(one.get("name")), _share(one.get("confidence"))) for one in _dicts(parsed.get("intent_ranking"))]
    return Turn(
        text=_words(event.get("text")),
        at=_number(event.get("timestamp")),
        intent=_words(intent.get("name")),
        confidence=_share(intent.get("confidence")),
        ranking=[(name, share) for name, share in ranking if name and share is not None][:5],
        entities=[plain(entity) for entity in _dicts(parsed.get("entities"))[:50]],
        model_id=_words(metadata.get("model_id"))[:200],
        channel=_words(event.get("input_channel"))[:100],
    )


def _add(turn: Turn, event: dict[str, Any]) -> None:
    match event.get("event"):
        case "action" if (name := _words(event.get("name"))) and name not in UNTOLD:
            turn.actions.append(Action(name, _policy(event.get("policy")), _share(event.get("confidence"))))
        case "slot" if (name := _words(event.get("name"))) and name not in UNTOLD:
            turn.slots.append((name, plain(event.get("value"))))
        case "bot":
            data = {"text": event.get("text"), **_dict(event.get("data"))}
            # Rasa tells a picture a second time as an attachment.
            same = data.get("attachment") == data.get("image")
            said = {name: plain(value) for name, value in data.items() if value and not (same and name == "attachment")}
            turn.answers.append(said)


def _policy(name: Any) -> str:
    """`policy_2_RulePolicy` as `RulePolicy`: Rasa numbers them."""
    words = _words(name)
    number, _, rest = words.removeprefix("policy_").partition("_")
    return rest if words.startswith("policy_") and number.isdecimal() and rest else words


def match(found: Sequence[Turn], said: Sequence[str]) -> list[Turn | None]:
    """For each message that was said, oldest first, its turn. Looked for from the end: of a conversation whose tracker
    was lost on the way, the last ones are there."""
    matched: list[Turn | None] = []
    end = len(found)
    for text in reversed(said):
        wanted = _comparable(text)
        at = next((at for at in range(end - 1, -1, -1) if _comparable(found[at].text or "") == wanted), None)
        matched.append(None if at is None or found[at].text is None else found[at])
        end = end if at is None else at
    return matched[::-1]


def _comparable(text: str) -> str:
    """Rasa takes the white space off both ends, and of long texts only the beginning is kept."""
    return text.strip()[:1000]


def annotated(text: str, entities: Iterable[Any]) -> str:
    """The text as an example of training data, its entities in brackets as Rasa 3 writes them."""
    pieces, end = [], 0
    for entity in sorted(_dicts(list(entities)), key=lambda one: _place(one.get("start"))):
        start, stop = _place(entity.get("start")), _place(entity.get("end"))
        if not end <= start < stop <= len(text) or entity.get("extractor") in PRETRAINED or not entity.get("entity"):
            continue
        pieces += [text[end:start], f"[{text[start:stop]}]{_label(entity, text[start:stop])}"]
        end = stop
    return "".join([*pieces, text[end:]])


def _label(entity: dict[str, Any], covered: str) -> str:
    value = entity.get("value")
    more = {"value": value} if isinstance(value, str) and value != covered else {}
    more |= {name: entity[name] for name in ("role", "group") if isinstance(entity.get(name), str)}
    name = _words(entity["entity"])
    if not more:
        return f"({name})"
    members = ", ".join(f'"{key}": "{_quoted(text)}"' for key, text in {"entity": name, **more}.items())
    return f"{{{members}}}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def plain(value: Any, depth: int = 0) -> Any:
    """A JSON value that can be stored and told on: no NUL, no half characters, no NaN, not too deep."""
    if isinstance(value, str):
        return _words(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict | list) and depth > DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {_words(name): plain(member, depth + 1) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(member, depth + 1) for member in value]
    return value


def _words(text: Any) -> str:
    if not isinstance(text, str):
        return ""
    return text[:LONGEST_WORDS].replace("\0", "\ufffd").encode(errors="replace").decode()


def _number(value: Any) -> float | None:
    fit = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if fit else None


def _share(value: Any) -> float | None:
    number = _number(value)
    return None if number is None else min(max(number, 0.0), 1.0)


def _place(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in _list(value) if isinstance(one, dict)]
