"""What a Rasa server says of a test, in the shapes that are stored and shown. Pure: JSON in, JSON out.

Figures are computed from the predictions one by one, so that an intent named like a word of the report ("accuracy")
does no harm; the report stands in where Rasa gives no predictions, as of a cross-validation.

`per_intent` (and `per_entity`, `per_response`, `per_action`) map a name to `{precision, recall, f1, support}`.
`confusion` maps what was expected to how often each was predicted; "" is nothing. `confidence` counts the right and the
wrong predictions in `BINS` equal steps from 0 to 1.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from environments import scores
from environments.examples import Example
from environments.scores import Outcomes, Score

Report = dict[str, Any]

BINS = 20
# Of what is wrong one by one, so many are kept where nothing compares them.
MOST_WRONG = 500
MAX_TEXT = 5000
# What scikit-learn and Rasa put beside the labels.
AVERAGES = frozenset({"accuracy", "micro avg", "macro avg", "weighted avg", "conversation_accuracy"})


class NotAReport(Exception):
    """The answer has not the shape of Rasa's."""


@dataclass(frozen=True)
class Understood:
    """What a test of understanding told; null where there was nothing to test."""

    intents: Report | None = None
    entities: Report | None = None
    responses: Report | None = None
    predictions: list[Report] | None = field(default=None, repr=False)


def understood(answer: Any, tested: Sequence[Example]) -> Understood:
    """The answer of `POST /model/test/intents` to `tested`. Raises NotAReport."""
    whole = _mapping(answer)
    intents, predictions = _intents(_mapping(whole.get("intent_evaluation") or {}), tested)
    entities = _entities(_mapping(whole.get("entity_evaluation") or {}))
    responses = _responses(_mapping(whole.get("response_selection_evaluation") or {}))
    return Understood(intents, entities, responses, predictions)


def stories(answer: Any, tested: int) -> Report:
    """The answer of `POST /model/test/stories` to so many stories. Raises NotAReport."""
    whole = _mapping(answer)
    actions = [_mapping(action) for action in _list(whole.get("actions"))]
    wrong = [
        {"action": _text(action.get("action")), "predicted": _text(action.get("predicted"))}
        for action in actions
        if action.get("action") != action.get("predicted")
    ]
    per_action = _per_label(_mapping(whole.get("report") or {}))
    return {
        "accuracy": _number(whole.get("accuracy")),
        **_averages(per_action),
        "stories": tested,
        "actions": len(actions),
        "per_action": _told(per_action),
        "wrong": wrong[:MOST_WRONG],
    }


# Intents


def _intents(evaluation: Report, tested: Sequence[Example]) -> tuple[Report | None, list[Report] | None]:
    if not evaluation:
        return None, None
    predictions = _predictions(evaluation)
    if predictions is None:
        predictions = _from_errors(_list(evaluation.get("errors")), tested)
    report = _per_label(_mapping(evaluation.get("report") or {}))
    if predictions is None:
        return (_from_report(evaluation, report), None) if report else (None, None)
    if not predictions:
        return None, None
    outcomes = Counter((one["intent"], one["predicted"]) for one in predictions)
    return {**_figures(outcomes), "confusion": _confusion(outcomes), "confidence": _histogram(predictions)}, predictions


def _predictions(evaluation: Report) -> list[Report] | None:
    if evaluation.get("predictions") is None:
        return None
    return [
        _prediction(one.get("text"), one.get("intent"), one.get("predicted"), one.get("confidence"))
        for one in map(_mapping, _list(evaluation["predictions"]))
    ]


def _prediction(text: Any, intent: Any, predicted: Any, confidence: Any) -> Report:
    sure = None if confidence is None else _number(confidence)
    return {"text": _text(text), "intent": _text(intent), "predicted": _text(predicted), "confidence": sure}


def _from_errors(errors: list[Any], tested: Sequence[Example]) -> list[Report] | None:
    """The predictions of a cross-validation, which tells what was wrong alone: all else was right, how surely is not
    known. None where an error is of no example that was sent."""
    wrong: dict[tuple[str, str], list[Report]] = {}
    for error in map(_mapping, errors):
        taken = _mapping(error.get("intent_prediction") or {})
        one = _prediction(error.get("text"), error.get("intent"), taken.get("name"), taken.get("confidence"))
        wrong.setdefault((one["text"], one["intent"]), []).append(one)
    found = []
    for example in tested:
        text, intent = _text(example.plain), base(example.intent)
        of_this = wrong.get((text, intent))
        found.append(of_this.pop() if of_this else _prediction(text, intent, intent, None))
    return None if any(wrong.values()) else found


def base(intent: str) -> str:
    """A retrieval intent without the key of its response."""
    return intent.partition("/")[0]


def _from_report(evaluation: Report, per_intent: Mapping[str, Score]) -> Report:
    accuracy = _mapping(evaluation.get("report") or {}).get("accuracy")
    return {"accuracy": _number(accuracy), **_averages(per_intent), "per_intent": _told(per_intent)} | {
        "confusion": {},
        "confidence": None,
    }


def _figures(outcomes: Outcomes, per: str = "per_intent") -> Report:
    by_label = scores.by_label(outcomes)
    return {"accuracy": scores.accuracy(outcomes), **_averages(by_label), per: _told(by_label)}


def _confusion(outcomes: Outcomes) -> dict[str, dict[str, int]]:
    confusion: dict[str, dict[str, int]] = {}
    for (intent, predicted), count in sorted(outcomes.items()):
        confusion.setdefault(intent, {})[predicted] = count
    return confusion


def _histogram(predictions: Iterable[Report]) -> Report | None:
    counts = {"right": [0] * BINS, "wrong": [0] * BINS}
    known = [one for one in predictions if one["confidence"] is not None]
    for one in known:
        step = min(BINS - 1, int(one["confidence"] * BINS))
        counts["right" if one["intent"] == one["predicted"] else "wrong"][step] += 1
    return counts if known else None


# Entities and responses


def _entities(evaluation: Report) -> Report | None:
    """By extractor, as Rasa tests each of them alone. Of a cross-validation its server tells nothing of entities."""
    extractors, wrong = {}, []
    for name, tested in sorted(evaluation.items()):
        if not isinstance(tested, dict) or not isinstance(tested.get("report"), dict):
            continue
        per_entity = _per_label(tested["report"])
        if per_entity:
            extractors[_text(name)] = {**_averages(per_entity), "per_entity": _told(per_entity)}
            wrong += [_wrong_entities(name, _mapping(error)) for error in _list(tested.get("errors"))]
    if not extractors:
        return None
    best = max(extractors.values(), key=lambda extractor: float(extractor["f1"]))
    averages = {figure: best[figure] for figure in ("precision", "recall", "f1")}
    return {**averages, "per_entity": best["per_entity"], "extractors": extractors, "wrong": wrong[:MOST_WRONG]}


def _wrong_entities(extractor: str, error: Report) -> Report:
    return {
        "text": _text(error.get("text")),
        "extractor": _text(extractor),
        "expected": _found(error.get("entities")),
        "predicted": _found(error.get("predicted_entities")),
    }


def _found(entities: Any) -> list[Report]:
    return [
        {"entity": _text(entity.get("entity")), "value": _text(entity.get("value"))}
        for entity in map(_mapping, _list(entities))
    ]


def _responses(evaluation: Report) -> Report | None:
    predictions = evaluation.get("predictions")
    if predictions is not None:
        outcomes = Counter(
            (_text(one.get("intent_response_key_target")), _text(one.get("intent_response_key_prediction")))
            for one in map(_mapping, _list(predictions))
        )
        return _figures(outcomes, "per_response") if outcomes else None
    per_response = _per_label(_mapping(evaluation.get("report") or {}))
    if not per_response:
        return None
    accuracy = _number(_mapping(evaluation["report"]).get("accuracy"))
    return {"accuracy": accuracy, **_averages(per_response), "per_response": _told(per_response)}


# Parts of a report


def _per_label(report: Report) -> dict[str, Score]:
    """The labels of a classification report; averages and whatever has no figures are passed over."""
    found = {}
    for name, figures in report.items():
        if name not in AVERAGES and isinstance(figures, dict):
            precision, recall, f1 = (_number(figures.get(key)) for key in ("precision", "recall", "f1-score"))
            found[_text(name)] = Score(precision, recall, f1, _count(figures.get("support")))
    return found


def _averages(by_label: Mapping[str, Score]) -> Report:
    average = scores.weighted(by_label)
    return {"precision": average.precision, "recall": average.recall, "f1": average.f1}


def _told(by_label: Mapping[str, Score]) -> dict[str, Report]:
    return {name: asdict(score) for name, score in sorted(by_label.items())}


def _mapping(value: Any) -> Report:
    if not isinstance(value, dict):
        raise NotAReport
    return value


def _list(value: Any) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise NotAReport
    return value or []


def _finite(value: Any) -> float:
    """A number; what is none (null, NaN, text, more digits than a machine's) counts as nothing."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0.0
    try:
        return float(value) if math.isfinite(value) else 0.0
    except OverflowError:
        return 0.0


def _number(value: Any) -> float:
    """A share, from 0 to 1."""
    return min(1.0, max(0.0, _finite(value)))


def _count(value: Any) -> int:
    return round(min(2.0**31, max(0.0, _finite(value))))


def _text(value: Any) -> str:
    """Text that every database can store."""
    text = "" if value is None else str(value)
    return text[:MAX_TEXT].replace("\0", "\ufffd").encode(errors="replace").decode()
