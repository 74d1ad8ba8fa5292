"""Examples of intents as Rasa writes them: read them from training data, hold some out, name them by a digest.

Pure: values in, values out. An example keeps the text as it is written, with its entities annotated.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

# So many of an intent's examples are held out, of one that has at least `SPLIT_FROM`.
HELD_OUT = 0.2
SPLIT_FROM = 2

# `[Paris](city)`, `[Paris](city:capital)`, `[Paris]{"entity": "city"}`, `[Paris][{…}, {…}]`, as Rasa 3 reads them.
ANNOTATED = re.compile(r"\[([^\]]+?)\](?:\([^:)]+?(?::[^)]+)?\)|\{[^}]+?\}|\[\{.*?\}\])")
# What Rasa takes off the ends of an example.
ENDS = "\n\r "


@dataclass(frozen=True, order=True)
class Example:
    """`intent` is the full one, with the response's key behind a slash where it is a retrieval intent."""

    intent: str
    text: str

    @property
    def plain(self) -> str:
        """The text alone, as a person would say it."""
        return ANNOTATED.sub(r"\1", self.text)


def read(items: Any) -> list[Example]:
    """The examples in an `nlu` list, each once, in their order; whatever is no example is passed over, as Rasa does."""
    found: dict[Example, None] = {}
    for item in items if isinstance(items, list) else []:
        intent = item.get("intent") if isinstance(item, dict) else None
        if isinstance(intent, str) and intent.strip():
            found |= {Example(intent.strip(), text): None for text in _texts(item.get("examples"))}
    return list(found)


def _texts(examples: Any) -> Iterable[str]:
    if isinstance(examples, str):
        lines = (line[1:].strip(ENDS) for line in examples.splitlines() if line.startswith("-"))
    elif isinstance(examples, list):
        texts = (item.get("text") if isinstance(item, dict) else item for item in examples)
        lines = (text.strip(ENDS) for text in texts if isinstance(text, str))
    else:
        return []
    return [line for line in lines if line]


def held_out(examples: Iterable[Example]) -> list[Example]:
    """A fifth of each intent's examples, chosen by the digest of their text: the same ones each time, and mostly the
    same when the data grows. An intent of one example keeps it."""
    by_intent: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_intent[example.intent].append(example)
    chosen: list[Example] = []
    for alike in by_intent.values():
        if len(alike) >= SPLIT_FROM:
            ordered = sorted(alike, key=lambda example: sha256(example.text.encode()).digest())
            chosen += ordered[: max(1, round(len(alike) * HELD_OUT))]
    return sorted(chosen)


def digest(examples: Iterable[Example], *kind: str) -> str:
    """The SHA-256 of a set of examples, in whatever order; `kind` tells apart what is done with them."""
    lines = [[example.intent, example.text] for example in sorted(set(examples))]
    return sha256(json.dumps([list(kind), lines], ensure_ascii=False).encode(errors="surrogatepass")).hexdigest()


def document(examples: Iterable[Example]) -> bytes:
    """Training data for a Rasa server: YAML with its strings quoted as in JSON, which leaves nothing to guess. All in
    JSON it would be YAML too, but Rasa takes that for another format and finds no examples."""
    by_intent: dict[str, list[str]] = defaultdict(list)
    for example in examples:
        by_intent[example.intent].append(example.text)
    lines = ['version: "3.1"', "nlu:"]
    for intent, texts in by_intent.items():
        lines += [f"- intent: {_quoted(intent)}", "  examples:", *(f"  - text: {_quoted(text)}" for text in texts)]
    return "\n".join([*lines, ""]).encode()


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def seen(tested: Iterable[Example], trained: Iterable[Example]) -> int:
    """How many of the tested utterances were trained on, word for word."""
    known = {example.plain for example in trained}
    return sum(example.plain in known for example in tested)
