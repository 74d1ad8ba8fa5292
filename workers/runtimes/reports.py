"""What `rasa test` wrote, as one document like that of a Rasa server's `POST /model/test/…`. Pure.

Measured with Rasa 3.6.21. The command writes no list of all predictions: it is put together from the right and the
wrong ones.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

Report = dict[str, Any]
# The text of a file by its name; "" where there is none.
Read = Callable[[str], str]

INTENTS, RESPONSES = "intent", "response_selection"
ENDING = "_report.json"
# No extractors of entities, though their reports are named alike.
OTHERS = frozenset({INTENTS, RESPONSES, "story"})

RIGHT_STORIES, WRONG_STORIES = "successful_test_stories.yml", "failed_test_stories.yml"
# A step of a story, with what was predicted in its place where that was something else.
_ACTION = re.compile(r"^\s*- action: (\S+)(?:\s+# predicted: (\S+))?", re.MULTILINE)


class Unreadable(Exception):
    """A report is not JSON."""


def of_nlu(names: Sequence[str], read: Read) -> Report:
    """`names` are those of all files that were written. None stands for a part that had nothing to be tested on."""
    extractors = [name.removesuffix(ENDING) for name in names if name.endswith(ENDING)]
    entities = {name: _scores(name, read) for name in extractors if name not in OTHERS}
    return {
        "intent_evaluation": _intents(read) if INTENTS in extractors else None,
        "entity_evaluation": entities or None,
        "response_selection_evaluation": _scores(RESPONSES, read) if RESPONSES in extractors else None,
    }


def of_stories(read: Read) -> Report:
    """`actions` are those of the stories as they were written; that to listen is among them only where it was wrong."""
    scores = _scores("story", read)
    found = _ACTION.findall(read(RIGHT_STORIES) + "\n" + read(WRONG_STORIES))
    actions = [{"action": action, "predicted": predicted or action} for action, predicted in found]
    return {**scores, "f1": scores["f1_score"], "actions": actions, "is_end_to_end_evaluation": True}


def _intents(read: Read) -> Report:
    predicted = [_prediction(item) for end in ("successes", "errors") for item in _items(f"{INTENTS}_{end}.json", read)]
    return {"predictions": predicted, **_scores(INTENTS, read)}


def _prediction(item: Report) -> Report:
    prediction = _mapping(item.get("intent_prediction"))
    return {
        "text": item.get("text"),
        "intent": item.get("intent"),
        "predicted": prediction.get("name"),
        "confidence": prediction.get("confidence"),
    }


def _scores(name: str, read: Read) -> Report:
    report = _document(f"{name}{ENDING}", read)
    averages = _mapping(report.get("weighted avg"))
    return {
        "report": report,
        "precision": averages.get("precision"),
        "f1_score": averages.get("f1-score"),
        "accuracy": report.get("accuracy"),
        "errors": _items(f"{name}_errors.json", read),
    }


def _items(name: str, read: Read) -> list[Report]:
    found = _load(read(name) or "[]")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _document(name: str, read: Read) -> Report:
    return _mapping(_load(read(name) or "{}"))


def _mapping(value: Any) -> Report:
    return value if isinstance(value, dict) else {}


def _load(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable from error
