"""Is a trained model good enough? Verdicts with their numbers, from what evaluations found. Pure.

A verdict's `detail` is a sentence for people, its `figures` are the numbers in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from environments import comparisons
from environments.comparisons import Comparison, Prediction
from environments.gate_spec import Better, Gates, IntentLoss, MustPass
from environments.states import PairedTest

MINIMUM_F1, BETTER, INTENT_LOSS, MUST_PASS = "minimum_f1", "better_than_serving", "intent_loss", "must_pass"
# So many intents or utterances are named in a sentence; the figures have all.
NAMED = 3

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """Of one gate. `name` is the key it is declared by."""

    name: str
    passed: bool
    detail: str
    figures: Figures = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return {"name": self.name, "passed": self.passed, "detail": self.detail, **self.figures}


@dataclass(frozen=True)
class Judged:
    """What an evaluation found of a model. `f1` is None where there were no examples of intents. Only predictions of
    one `test_hash` can be compared. `seen` is how many of the examples it was trained on, where that is known."""

    model: str
    f1: float | None
    test_hash: str
    predictions: Sequence[Prediction]
    seen: int | None = None


@dataclass(frozen=True)
class Unjudged:
    """A model serves, and nothing can be said of it, for this reason."""

    model: str
    why: str


Serving = Judged | Unjudged | None


@dataclass(frozen=True)
class Answer:
    """What a model made of an utterance that must pass: `entities` as (entity, value), `story` whether the actions that
    must follow did (None: none were asked for, or `note` says why it is not known)."""

    intent: str
    confidence: float | None
    entities: Sequence[tuple[str, str]]
    story: bool | None = None
    note: str = ""


def judge(
    gates: Gates, candidate: Judged, serving: Serving, answers: Mapping[str, Answer], *, candidates: int = 1
) -> list[Verdict]:
    """The verdict of each gate that is declared, in the order of the declaration. `answers` are by utterance.

    Of several `candidates` of one run each must be surer: whoever tries often enough is better by chance once.
    """
    verdicts = []
    if gates.minimum_f1 is not None:
        verdicts.append(minimum_f1(gates.minimum_f1, candidate))
    comparison = _comparison(candidate, serving)
    if gates.better_than_serving is not None:
        verdicts.append(better(gates.better_than_serving, candidate, serving, comparison, candidates))
    if gates.intent_loss is not None:
        verdicts.append(intent_loss(gates.intent_loss, serving, comparison))
    if gates.must_pass:
        verdicts.append(must_pass(gates.must_pass, answers))
    return verdicts


def _comparison(candidate: Judged, serving: Serving) -> Comparison | str:
    """The two on the same examples, or why they cannot be compared."""
    if serving is None:
        return "nothing serves"
    if isinstance(serving, Unjudged):
        return serving.why
    if not candidate.predictions or candidate.f1 is None:
        return "there are no examples of intents to test on"
    if candidate.test_hash != serving.test_hash:
        return "the two were not tested on the same examples"
    try:
        return comparisons.compare(serving.predictions, candidate.predictions)
    except ValueError as error:
        return str(error)


def minimum_f1(least: float, candidate: Judged) -> Verdict:
    figures = {"f1": candidate.f1, "least": least}
    if candidate.f1 is None:
        return Verdict(MINIMUM_F1, False, "F1 is not known: there are no examples of intents to test on.", figures)
    passed = candidate.f1 >= least
    return Verdict(MINIMUM_F1, passed, f"F1 is {candidate.f1:.3f}; at least {least:g} is asked.", figures)


def better(
    gate: Better, candidate: Judged, serving: Serving, comparison: Comparison | str, candidates: int = 1
) -> Verdict:
    """Better by the margin, and by more than chance. Where nothing serves anything is better."""
    limit = gate.p_value / candidates
    asked: dict[str, Any] = {"margin": gate.margin, "limit": limit, "candidates": candidates, "test": gate.test.value}
    if serving is None:
        return Verdict(BETTER, True, "Nothing serves there yet, so there is nothing to be better than.", asked)
    if isinstance(comparison, str):
        told = f"It could not be compared with {serving.model}, which serves: {comparison}."
        return Verdict(BETTER, False, told, asked | {"serving": serving.model})
    gain, p_value = comparison.f1_b - comparison.f1_a, _p_value(gate, candidate, serving, comparison)
    enough, sure = gain > 0 and gain >= gate.margin - 1e-9, p_value <= limit
    figures = asked | {
        "serving": serving.model,
        "f1": {"serving": comparison.f1_a, "candidate": comparison.f1_b},
        "gain": gain,
        "p_value": p_value,
        "utterances": len(candidate.predictions),
        "fixed": len(comparison.fixed),
        "broken": len(comparison.broken),
    }
    told = _better_words(gate, figures, enough=enough, sure=sure) + _unfair(candidate, serving)
    return Verdict(BETTER, enough and sure, told, figures)


def _unfair(candidate: Judged, serving: Serving) -> str:
    """A model knows what it was trained on: then more was learnt by heart than understood."""
    if not isinstance(serving, Judged) or candidate.seen is None or serving.seen is None:
        return ""
    if candidate.seen <= serving.seen:
        return ""
    return (
        f" But it was trained on {candidate.seen} of these utterances, {serving.model} on {serving.seen}: "
        "test data of its own in the bundle would tell more."
    )


def _p_value(gate: Better, candidate: Judged, serving: Serving, comparison: Comparison) -> float:
    if gate.test is PairedTest.MCNEMAR or not isinstance(serving, Judged):
        return comparison.p_value
    return comparisons.margin_p_value(comparisons.pairs(serving.predictions, candidate.predictions), gate.margin)


def _better_words(gate: Better, figures: Figures, *, enough: bool, sure: bool) -> str:
    before, after, gain = figures["f1"]["serving"], figures["f1"]["candidate"], figures["gain"]
    moved = f"{'rose' if gain > 0 else 'fell'} from {before:.3f} to {after:.3f}" if gain else f"stayed at {after:.3f}"
    asked = f"at least {gate.margin:+.3f} is asked" if gate.margin else "more is asked"
    test = "McNemar's test" if gate.test is PairedTest.MCNEMAR else "a paired bootstrap"
    chance = "" if sure else ", so this may be chance" if enough else ""
    shared = f" ({gate.p_value:g} shared by {figures['candidates']} models)" if figures["candidates"] > 1 else ""
    than = f"{'at most' if sure else 'more than'} {figures['limit']:.3g}{shared}"
    return (
        f"Against {figures['serving']} F1 {moved} ({gain:+.3f}; {asked}). Of "
        f"{figures['utterances']} utterances {figures['fixed']} became right and {figures['broken']} wrong: "
        f"p = {_digits(figures['p_value'])} by {test}, {than}{chance}."
    )


def _digits(p_value: float) -> str:
    return f"{p_value:.3f}" if p_value >= 0.001 else f"{p_value:.1e}"


def intent_loss(gate: IntentLoss, serving: Serving, comparison: Comparison | str) -> Verdict:
    """No intent with enough examples lost too much of its F1."""
    asked = {"examples": gate.examples, "at_most": gate.at_most}
    if serving is None:
        return Verdict(INTENT_LOSS, True, "Nothing serves there yet, so no intent can lose.", asked)
    if isinstance(comparison, str):
        told = f"It could not be compared with {serving.model}, which serves: {comparison}."
        return Verdict(INTENT_LOSS, False, told, asked | {"serving": serving.model})
    counted = [change for change in comparison.per_intent if change.support >= gate.examples]
    # A little more than nothing: F1 is a quotient of floats.
    lost = [change for change in counted if -change.delta > gate.at_most + 1e-9]
    figures = asked | {
        "serving": serving.model,
        "intents": len(counted),
        "lost": [{"intent": change.intent, "a": change.a, "b": change.b, "support": change.support} for change in lost],
    }
    what = f"{_count(len(counted), 'intent')} with {gate.examples} examples or more"
    if not lost:
        return Verdict(INTENT_LOSS, True, f"None of {what} lost more than {gate.at_most:g}.", figures)
    named = [f"{change.intent} {change.a:.2f} → {change.b:.2f}" for change in lost]
    told = f"{len(lost)} of {what} lost more than {gate.at_most:g}: {_listed(named)}."
    return Verdict(INTENT_LOSS, False, told, figures)


def must_pass(wanted: Sequence[MustPass], answers: Mapping[str, Answer]) -> Verdict:
    """Every utterance was understood as it must be."""
    wrong = [{"text": item.text, "why": why} for item in wanted if (why := _wrong(item, answers.get(item.text)))]
    figures = {"utterances": len(wanted), "wrong": wrong}
    if not wrong:
        return Verdict(MUST_PASS, True, f"{_count(len(wanted), 'utterance')} that must pass did.", figures)
    named = [f"“{item['text']}” {item['why']}" for item in wrong]
    told = f"{len(wrong)} of {_count(len(wanted), 'utterance')} that must pass did not: {_listed(named)}."
    return Verdict(MUST_PASS, False, told, figures)


def _wrong(item: MustPass, answer: Answer | None) -> str:
    """What is wrong with the answer; empty where nothing is."""
    if answer is None:
        return "was not asked"
    if answer.intent != item.intent:
        sure = f" ({answer.confidence:.2f})" if answer.confidence is not None else ""
        return f"was taken for {answer.intent or 'nothing'}{sure}, not {item.intent}"
    for entity in item.entities:
        values = [value for name, value in answer.entities if name == entity.entity]
        if not values:
            return f"has no {entity.entity}"
        if entity.value is not None and entity.value not in values:
            return f"has {entity.entity} {_listed(values)}, not {entity.value}"
    return (answer.note or "was not followed by its story") if item.story and not answer.story else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - NAMED} more" if len(words) > NAMED else ""
    return f"{', '.join(words[:NAMED])}{more}"
