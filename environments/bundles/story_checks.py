"""Items under `stories` and `rules`: what Rasa's schema refuses, and names that the domain does not have."""

from collections.abc import Iterator
from typing import Any

from environments.bundles.findings import Findings
from environments.bundles.known import Known
from environments.bundles.loading import Path, Source
from environments.bundles.shapes import check_keys, is_text, list_of, mapping_of

TITLES = {"stories": "story", "rules": "rule"}
ITEM_KEYS = {
    "stories": ("story", "metadata", "steps"),
    "rules": ("rule", "metadata", "steps", "condition", "conversation_start", "wait_for_user_input"),
}
# Of one step: the key that says what it is, with what may stand beside it.
STEP_KEYS = {
    "intent": ("intent", "user", "entities"),
    "user": ("intent", "user", "entities"),
    "action": ("action",),
    "active_loop": ("active_loop",),
    "bot": ("bot",),
    "checkpoint": ("checkpoint", "slot_was_set"),
    "slot_was_set": ("slot_was_set", "checkpoint"),
    "or": ("or",),
}
# Nor may a checkpoint stand beside a slot there.
NOT_IN_RULES = frozenset({"bot", "checkpoint"})
TEXTS = ("intent", "user", "action", "active_loop", "bot", "checkpoint")


def check(source: Source, findings: Findings) -> None:
    """What is wrong whatever the domain says."""
    for section, title in TITLES.items():
        for number, item in enumerate(list_of(source, section, findings)):
            if mapping_of(source, (section, number), item, f"A {title}", findings):
                _check_item(source, section, number, item, findings)


def check_names(source: Source, known: Known, findings: Findings) -> None:
    """What its steps name and the domain does not know."""
    for section, path, step in _steps(source):
        _check_slots(source, path, step, known, findings)
        _check_loop(source, path, step, known, findings)
        _check_action(source, section, path, step, known, findings)
        _warn_of_intent(source, path, step, known, findings)


def _check_item(source: Source, section: str, number: int, item: dict[Any, Any], findings: Findings) -> None:
    path, title = (section, number), TITLES[section]
    check_keys(source, path, item, ITEM_KEYS[section], f"A {title}", findings)
    name = item.get(title)
    if not is_text(source, (*path, title), name, f"The name of a {title}", findings) or not name:
        findings.warn(source, (*path,), f"A {title} has no name. Name it by `{title}: …`.")
    steps = item.get("steps")
    if steps is not None and not isinstance(steps, list):
        findings.refuse(
            source,
            (
                *path,
                "steps",
            ),
            "steps must be a list. Begin each step with '- '.",
        )
    elif not steps:
        findings.warn(source, (*path,), f"A {title} without steps is skipped. Add its steps.")
    for place, step in enumerate(steps if isinstance(steps, list) else []):
        _check_step(source, (*path, "steps", place), step, findings)


def _check_step(source: Source, path: Path, step: Any, findings: Findings) -> None:
    if step == "...":
        return
    if not mapping_of(source, path, step, "A step", findings):
        return
    kinds = [kind for kind in STEP_KEYS if not (path[0] == "rules" and kind in NOT_IN_RULES)]
    kind = next((kind for kind in kinds if kind in step), None)
    allowed = [key for key in (STEP_KEYS[kind] if kind else kinds) if key in kinds or key == "entities"]
    check_keys(source, path, step, allowed, f"A step with {kind}" if kind else "A step", findings)
    for key in TEXTS:
        if key in step:
            is_text(source, (*path, key), step[key], key, findings)


def _steps(source: Source) -> Iterator[tuple[str, Path, dict[Any, Any]]]:
    """Each step and condition with its place, those inside of `or` too."""
    for section in TITLES:
        items = source.document.get(section)
        for number, item in enumerate(items if isinstance(items, list) else []):
            for part in ("condition", "steps") if isinstance(item, dict) else ():
                for path, step in _below((section, number, part), item.get(part)):
                    yield section, path, step


def _below(path: Path, steps: Any) -> Iterator[tuple[Path, dict[Any, Any]]]:
    for place, step in enumerate(steps if isinstance(steps, list) else []):
        if isinstance(step, dict):
            yield (*path, place), step
            yield from _below((*path, place, "or"), step.get("or"))


def _check_slots(source: Source, path: Path, step: dict[Any, Any], known: Known, findings: Findings) -> None:
    slots = step.get("slot_was_set")
    for slot in slots if isinstance(slots, list) else []:
        for name in slot if isinstance(slot, dict) else [slot]:
            if isinstance(name, str) and name not in known.slots:
                tell = findings.refuse if known.strict and "checkpoint" not in step else findings.warn
                tell(source, (*path,), f"The slot {name[:60]} is not in the domain. Add it under slots, or correct it.")


def _check_loop(source: Source, path: Path, step: dict[Any, Any], known: Known, findings: Findings) -> None:
    loop = step.get("active_loop")
    if isinstance(loop, str) and loop not in known.actions:
        tell = findings.refuse if known.strict and known.has_rule_policy else findings.warn
        tell(source, (*path,), f"The form {loop[:60]} is not in the domain. Add it under forms, or correct it.")


def _check_action(
    source: Source, section: str, path: Path, step: dict[Any, Any], known: Known, findings: Findings
) -> None:
    action = step.get("action")
    if not isinstance(action, str) or not action or action in known.actions:
        return
    certain = section == "rules" and known.strict and known.has_rule_policy
    tell = findings.refuse if certain else findings.warn
    where = "responses" if action.startswith("utter_") else "actions"
    tell(source, (*path,), f"The action {action[:60]} is not in the domain. Add it under {where}, or correct it.")


def _warn_of_intent(source: Source, path: Path, step: dict[Any, Any], known: Known, findings: Findings) -> None:
    intent = step.get("intent")
    if isinstance(intent, str) and intent and intent.lstrip("/").partition("/")[0] not in known.intents:
        findings.warn(source, (*path,), f"The intent {intent[:60]} is not in the domain. Add it under intents.")
