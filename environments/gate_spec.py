"""What a model must be good for, as a pipeline declares it: its gates, read and written as JSON again."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from environments.pipeline_reader import PipelineReader
from environments.states import PairedTest

MAX_MUST_PASS = 200
# Entities of an utterance, and actions that follow it.
MAX_PARTS = 50
LONGEST_TEXT = 1000
LONGEST_NAME = 300


@dataclass(frozen=True)
class Better:
    """F1 at least `margin` higher than what serves, and the paired test at most at `p_value`."""

    margin: float = 0.0
    p_value: float = 0.05
    test: PairedTest = PairedTest.MCNEMAR


@dataclass(frozen=True)
class IntentLoss:
    """No intent with `examples` or more of them loses more than `at_most` of its F1."""

    examples: int = 10
    at_most: float = 0.05


@dataclass(frozen=True)
class Entity:
    """Found in an utterance, with this value if one is named."""

    entity: str
    value: str | None = None

    def declaration(self) -> dict[str, str]:
        return {"entity": self.entity} | ({"value": self.value} if self.value is not None else {})


@dataclass(frozen=True)
class MustPass:
    """An utterance that must be understood. `story` are the actions that must follow it, in this order."""

    text: str
    intent: str
    entities: tuple[Entity, ...] = ()
    story: tuple[str, ...] = ()

    def declaration(self) -> dict[str, Any]:
        told: dict[str, Any] = {"text": self.text, "intent": self.intent}
        if self.entities:
            told["entities"] = [entity.declaration() for entity in self.entities]
        return told | ({"story": list(self.story)} if self.story else {})


@dataclass(frozen=True)
class Gates:
    """All of them must pass; what is not declared is not asked."""

    minimum_f1: float | None = None
    better_than_serving: Better | None = None
    intent_loss: IntentLoss | None = None
    must_pass: tuple[MustPass, ...] = field(default=())

    def declaration(self) -> dict[str, Any]:
        better, loss = self.better_than_serving, self.intent_loss
        told: dict[str, Any] = {
            "minimum_f1": self.minimum_f1,
            "better_than_serving": better
            and {"margin": better.margin, "p_value": better.p_value, "test": better.test.value},
            "intent_loss": loss and {"examples": loss.examples, "at_most": loss.at_most},
            "must_pass": [item.declaration() for item in self.must_pass],
        }
        return {name: value for name, value in told.items() if value not in (None, [])}


def read_gates(reader: PipelineReader, node: Node, key: str) -> Gates:
    example = "`gates: {minimum_f1: 0.8, better_than_serving: {margin: 0.01}}`"
    reads: dict[str, Callable[[PipelineReader, Node, str], Any]] = {
        "minimum_f1": PipelineReader.share,
        "better_than_serving": _read_better,
        "intent_loss": _read_intent_loss,
        "must_pass": _read_must_pass,
    }
    entries = reader.members(node, key, reads, example)
    read = {name: reads[name](reader, value, f"{key}.{name}") for name, value in entries.items()}
    return Gates(**{name: value for name, value in read.items() if value is not None})


def _read_better(reader: PipelineReader, node: Node, key: str) -> Better | None:
    if isinstance(node, ScalarNode):
        return Better() if reader.flag(node, key) else None
    entries = reader.members(node, key, ["margin", "p_value", "test"], "`{margin: 0.01, p_value: 0.05, test: mcnemar}`")
    values: dict[str, Any] = {}
    if "margin" in entries:
        values["margin"] = reader.share(entries["margin"], f"{key}.margin")
    if "p_value" in entries:
        values["p_value"] = reader.share(entries["p_value"], f"{key}.p_value", zero=False)
    if "test" in entries:
        test = reader.choice(entries["test"], f"{key}.test", [test.value for test in PairedTest])
        values["test"] = PairedTest(test) if test else None
    return Better(**{name: value for name, value in values.items() if value is not None})


def _read_intent_loss(reader: PipelineReader, node: Node, key: str) -> IntentLoss:
    entries = reader.members(node, key, ["examples", "at_most"], "`{examples: 10, at_most: 0.05}`")
    examples = reader.count(entries["examples"], f"{key}.examples", 100_000) if "examples" in entries else None
    at_most = reader.share(entries["at_most"], f"{key}.at_most") if "at_most" in entries else None
    default = IntentLoss()
    return IntentLoss(examples or default.examples, default.at_most if at_most is None else at_most)


def _read_must_pass(reader: PipelineReader, node: Node, key: str) -> tuple[MustPass, ...]:
    nodes = reader.items(node, key, MAX_MUST_PASS, "Write [{text: hello, intent: greet}].")
    read = [_read_utterance(reader, item, f"{key}.{place}") for place, item in enumerate(nodes)]
    found = [utterance for utterance in read if utterance is not None]
    texts = [utterance.text for utterance in found]
    if len(set(texts)) < len(texts):
        reader.refuse(key, "has an utterance twice. Remove one of the two.")
    return tuple(found)


def _read_utterance(reader: PipelineReader, node: Node, key: str) -> MustPass | None:
    example = "`{text: to Berlin please, intent: travel, entities: [{entity: city, value: Berlin}]}`"
    entries = reader.members(node, key, ["text", "intent", "entities", "story"], example)
    for name in ("text", "intent"):
        if name not in entries and isinstance(node, MappingNode):
            reader.refuse(f"{key}.{name}", f"is missing. Write it like this: {example}")
    text = reader.short(entries["text"], f"{key}.text", LONGEST_TEXT) if "text" in entries else None
    intent = reader.short(entries["intent"], f"{key}.intent", LONGEST_NAME) if "intent" in entries else None
    entities = _read_entities(reader, entries["entities"], f"{key}.entities") if "entities" in entries else ()
    story = reader.words(entries["story"], f"{key}.story", MAX_PARTS, LONGEST_NAME) if "story" in entries else ()
    return MustPass(text, intent, entities, story) if text and intent else None


def _read_entities(reader: PipelineReader, node: Node, key: str) -> tuple[Entity, ...]:
    example = "`[{entity: city, value: Berlin}]`"
    found = []
    for place, item in enumerate(reader.items(node, key, MAX_PARTS, f"Write {example}.")):
        path = f"{key}.{place}"
        entries = reader.members(item, path, ["entity", "value"], example)
        if "entity" not in entries:
            reader.refuse(f"{path}.entity", f"is missing. Write it like this: {example}")
            continue
        entity = reader.short(entries["entity"], f"{path}.entity", LONGEST_NAME)
        value = reader.short(entries["value"], f"{path}.value", LONGEST_TEXT) if "value" in entries else None
        if entity is not None:
            found.append(Entity(entity, value))
    return tuple(found)
