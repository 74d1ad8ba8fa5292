"""A Rasa project that was read: what is in it, and the one document a server trains from."""

from dataclasses import dataclass
from typing import Any

from environments.bundles.configs import parse_config
from environments.bundles.loading import Document, dump

Items = list[Any]


@dataclass(frozen=True)
class Project:
    """`files` are relative to the project's root; `config`, `domain` and `training` are what the server trains on.

    `test_stories` and `test_nlu` are its test data, as lists of Rasa's own items; `warnings` what is odd about it.
    """

    files: tuple[str, ...]
    config: Document
    domain: Document
    training: Document
    test_stories: Items
    test_nlu: Items
    warnings: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many intents have examples, how many examples there are, and the stories, rules and flows."""
        items = [item for item in self.training.get("nlu", []) if isinstance(item, dict) and item.get("intent")]
        return {
            "intents": len({item["intent"] for item in items if isinstance(item["intent"], str)}),
            "examples": sum(count_examples(item.get("examples")) for item in items),
            "stories": len(self.training.get("stories", [])),
            "rules": len(self.training.get("rules", [])),
            "flows": len(self.training.get("flows", {})),
        }

    def document(self, config: str = "") -> bytes:
        """The YAML document for `POST /model/train`; `config` is used in place of the project's own."""
        training = {**self.training}
        responses = {**(self.domain.get("responses") or {}), **training.pop("responses", {})}
        chosen = parse_config(config) if config else self.config
        merged = {**chosen, **self.domain, **training} | ({"responses": responses} if responses else {})
        return dump({key: value for key, value in merged.items() if key != "version"} | _version(merged))


def _version(merged: Document) -> Document:
    return {"version": str(merged["version"])} if merged.get("version") else {}


def count_examples(examples: Any) -> int:
    if isinstance(examples, list):
        return len(examples)
    return sum(line.lstrip().startswith("-") for line in examples.splitlines()) if isinstance(examples, str) else 0
