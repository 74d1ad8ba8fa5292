"""One file of a domain: what Rasa's schema refuses, and what is hardly meant so."""

from typing import Any

from environments.bundles.findings import Findings
from environments.bundles.loading import Path, Source
from environments.bundles.merging import DOMAIN_KEYS, DOMAIN_LISTS, DOMAIN_MAPPINGS, TRAINING_KEYS
from environments.bundles.shapes import check_keys, list_of, mapping_of, shown

SLOT_TYPES = frozenset({"text", "bool", "float", "list", "any", "categorical"})
SLOT_KEYS = ("type", "mappings", "initial_value", "influence_conversation", "value_reset_delay")
KEYS_OF_TYPES = {"float": ("min_value", "max_value"), "categorical": ("values",)}
FORM_KEYS = ("required_slots", "ignored_intents")
# A domain of Rasa Pro may say what is trained as well.
KNOWN_KEYS = DOMAIN_KEYS | frozenset(TRAINING_KEYS)
PATTERN = "Write `{name}:` and below it `- text: …`."


def check(source: Source, findings: Findings) -> None:
    for key in DOMAIN_LISTS:
        for number, item in enumerate(list_of(source, key, findings)):
            if not isinstance(item, str | dict):
                findings.refuse(
                    source,
                    (
                        key,
                        number,
                    ),
                    f"{shown(item)} under {key} must be a name. Put it in quotation marks.",
                )
    for key in DOMAIN_MAPPINGS:
        value = source.document.get(key)
        for name, part in value.items() if isinstance(value, dict) else ():
            _CHECKS[key](source, (key, str(name)), part, findings)
    _check_session(source, findings)
    for key in source.document:
        if key not in KNOWN_KEYS:
            findings.warn(source, (str(key),), f"{str(key)[:60]} means nothing in a domain. Correct or remove it.")


def check_slots(source: Source, findings: Findings) -> None:
    """What only Rasa without flows asks of slots."""
    slots = source.document.get("slots")
    for name, slot in slots.items() if isinstance(slots, dict) else ():
        if isinstance(slot, dict):
            _check_slot_of_open_source(source, str(name), slot, findings)


def check_responses(source: Source, findings: Findings) -> None:
    """Those that stand beside training data."""
    responses = source.document.get("responses")
    for name, response in responses.items() if isinstance(responses, dict) else ():
        _check_response(source, ("responses", str(name)), response, findings)


def _check_response(source: Source, path: Path, response: Any, findings: Findings) -> None:
    name = str(path[-1])
    if not name.startswith("utter_"):
        findings.warn(
            source, (*path,), f"The response {name[:60]} can be no action: its name does not begin with utter_."
        )
    if not isinstance(response, list):
        cure = PATTERN.format(name=name[:60])
        findings.refuse(source, (*path,), f"The response {name[:60]} must be a list of variations. {cure}")
        return
    for number, variation in enumerate(response):
        if not isinstance(variation, dict):
            cure = PATTERN.format(name=name[:60])
            findings.refuse(
                source,
                (
                    *path,
                    number,
                ),
                f"A variation of {name[:60]} must be a mapping, not {shown(variation)}. {cure}",
            )
    if not response:
        findings.warn(source, (*path,), f"The response {name[:60]} has no variation, so that nothing is said. Add one.")


def _check_slot(source: Source, path: Path, slot: Any, findings: Findings) -> None:
    mapping_of(source, path, slot, f"The slot {path[-1]}", findings)


def _check_slot_of_open_source(source: Source, name: str, slot: dict[Any, Any], findings: Findings) -> None:
    kind, path = slot.get("type"), ("slots", name)
    if "type" not in slot:
        findings.refuse(source, (*path,), f"The slot {name} has no type. Add one, such as `type: text`.")
    elif isinstance(kind, str) and "." not in kind and kind not in SLOT_TYPES:
        known = ", ".join(sorted(SLOT_TYPES))
        findings.refuse(
            source,
            (
                *path,
                "type",
            ),
            f"The slot {name} is of the unknown type {kind[:60]}. Known are {known}.",
        )
    elif kind in SLOT_TYPES:
        allowed = SLOT_KEYS + KEYS_OF_TYPES.get(kind, ())
        check_keys(source, path, slot, allowed, f"The slot {name} of type {kind}", findings)
    if "mappings" not in slot:
        findings.refuse(
            source,
            (*path,),
            f"The slot {name} has no mappings. Say how it is filled; `mappings: [{{type: custom}}]` by actions.",
        )


def _check_form(source: Source, path: Path, form: Any, findings: Findings) -> None:
    if mapping_of(source, path, form, f"The form {path[-1]}", findings):
        check_keys(source, path, form, FORM_KEYS, f"The form {path[-1]}", findings)


def _check_session(source: Source, findings: Findings) -> None:
    session = source.document.get("session_config")
    if not isinstance(session, dict):
        return
    time = session.get("session_expiration_time")
    if time is not None and (isinstance(time, bool) or not isinstance(time, int | float)):
        findings.refuse(
            source,
            (
                "session_config",
                "session_expiration_time",
            ),
            "session_expiration_time must be a number of minutes. Write it without quotation marks.",
        )


_CHECKS = {"responses": _check_response, "slots": _check_slot, "forms": _check_form}
