"""Utterances that must pass, as a Rasa server is asked for them, and what it answered. Pure: values in, values out.

They are sent without their entities marked: whatever entity the model finds is then an error that Rasa tells in full,
with its value, and no error means that it found none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from environments import bundles, examples
from environments.examples import Example
from environments.gate_spec import MustPass
from environments.gates import Answer

# Rasa tests intents only where there are two, and entities only where one is marked.
FILLER = Example("no-intent-of-this-assistant", "an [utterance](no-entity-of-it) that nobody asks about")


def nlu(wanted: Sequence[MustPass]) -> bytes:
    """The document for `test_nlu`."""
    return examples.document([*(Example(item.intent, item.text) for item in wanted), FILLER])


def story(item: MustPass) -> bytes:
    """The document for `test_stories` of one utterance and the actions that must follow it."""
    steps: list[dict[str, str]] = [{"user": _annotated(item), "intent": item.intent}]
    steps += [{"action": action} for action in item.story]
    return bundles.dump({"version": "3.1", "stories": [{"story": item.text, "steps": steps}]})


def _annotated(item: MustPass) -> str:
    """With its entities marked, as a story has them; one whose value is not in the text stays unmarked."""
    text = item.text
    for entity in item.entities:
        if entity.value and entity.value in text:
            text = text.replace(entity.value, f"[{entity.value}]({entity.entity})", 1)
    return text


def answers(result: Mapping[str, Any], wanted: Sequence[MustPass]) -> dict[str, Answer]:
    """What the model made of each utterance, by its text; of what Rasa told nothing there is none."""
    intents = result.get("intent_evaluation") or {}
    predictions = {str(one.get("text")): one for one in intents.get("predictions") or []}
    entities = _entities(result.get("entity_evaluation") or {})
    found = {}
    for item in wanted:
        plain = Example(item.intent, item.text).plain
        one = predictions.get(plain)
        if one is not None:
            confidence = one.get("confidence")
            sure = float(confidence) if isinstance(confidence, (int, float)) else None
            found[item.text] = Answer(str(one.get("predicted") or ""), sure, entities.get(plain, []))
    return found


def _entities(evaluation: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """By utterance, from whichever extractor tells of it: each tells what all of them found."""
    found: dict[str, list[tuple[str, str]]] = {}
    for tested in evaluation.values():
        for error in tested.get("errors") or [] if isinstance(tested, Mapping) else []:
            pairs = [(str(one.get("entity")), str(one.get("value"))) for one in error.get("predicted_entities") or []]
            found.setdefault(str(error.get("text")), pairs)
    return found


def stored(answers: Mapping[str, Answer]) -> list[dict[str, Any]]:
    """As JSON, which `pipeline_verdicts` reads."""
    return [
        {
            "text": text,
            "intent": answer.intent,
            "confidence": answer.confidence,
            "entities": [list(pair) for pair in answer.entities],
            "story": answer.story,
            "note": answer.note,
        }
        for text, answer in answers.items()
    ]
