"""Items under `nlu`: what Rasa's schema refuses, and what its reader skips."""

from typing import Any

from environments.bundles.findings import Findings
from environments.bundles.known import Known
from environments.bundles.loading import Source
from environments.bundles.shapes import check_keys, is_text, list_of, mapping_of, shown

# By the key that says what the item is.
KEYS = {
    "intent": ("intent", "metadata", "examples"),
    "synonym": ("synonym", "examples"),
    "regex": ("regex", "examples"),
    "lookup": ("lookup", "examples"),
}


def check(source: Source, findings: Findings) -> None:
    for number, item in enumerate(list_of(source, "nlu", findings)):
        if mapping_of(source, ("nlu", number), item, "An item of nlu", findings):
            _check_item(source, number, item, findings)


def warn_of_unknown(source: Source, known: Known, findings: Findings) -> None:
    """Intents that the domain does not list: they are trained, and no story can name them."""
    items = source.document.get("nlu")
    for number, item in enumerate(items if isinstance(items, list) else []):
        name = item.get("intent") if isinstance(item, dict) else None
        if isinstance(name, str) and name and name.partition("/")[0] not in known.intents:
            findings.warn(
                source,
                (
                    "nlu",
                    number,
                ),
                f"The intent {name} is not in the domain. Add it under intents.",
            )


def _check_item(source: Source, number: int, item: dict[Any, Any], findings: Findings) -> None:
    kind = next((kind for kind in KEYS if kind in item), None)
    if kind is None:
        if check_keys(source, ("nlu", number), item, ["examples", *KEYS], "An item of nlu", findings):
            findings.warn(
                source,
                (
                    "nlu",
                    number,
                ),
                "An item of nlu that names no intent is skipped. Name it.",
            )
        return
    path = ("nlu", number)
    check_keys(source, path, item, KEYS[kind], f"An item of nlu for one {kind}", findings)
    name = item[kind]
    if not is_text(source, (*path, kind), name, f"The name of the {kind}", findings):
        name = ""
    if not item[kind]:
        findings.warn(source, (*path,), f"The {kind} has no name and is skipped. Name it.")
    _check_examples(source, number, kind, f"{kind} {name}".strip(), item, findings)


def _check_examples(
    source: Source, number: int, kind: str, what: str, item: dict[Any, Any], findings: Findings
) -> None:
    examples, path = item.get("examples"), ("nlu", number, "examples")
    if kind == "intent" and isinstance(examples, list):
        for place, example in enumerate(examples):
            if mapping_of(source, (*path, place), example, f"An example of the {what} in a list", findings):
                check_keys(source, (*path, place), example, ("text", "metadata"), "An example", findings)
        return
    if examples is not None and not isinstance(examples, str):
        findings.refuse(
            source,
            (*path,),
            f"The examples of the {what} must be text, not {shown(examples)}. Write `examples: |` and below it a line "
            "with '- ' for each.",
        )
        return
    _warn_of_lines(source, number, what, examples or "", findings)


def _warn_of_lines(source: Source, number: int, what: str, examples: str, findings: Findings) -> None:
    lines = [line.strip() for line in examples.splitlines() if line.strip()]
    if not lines:
        findings.warn(
            source,
            (
                "nlu",
                number,
            ),
            f"The {what} has no examples and is skipped. Add some.",
        )
    skipped = [line for line in lines if not line.startswith("-")]
    if skipped:
        findings.warn(
            source,
            (
                "nlu",
                number,
            ),
            f"Lines of the {what} without '- ' before them are skipped, as {shown(skipped[0])}. Put it there.",
        )
