"""The parts of a project from several files, as one document: what is said twice must be said alike."""

from typing import Any

from environments.bundles.finding import is_test
from environments.bundles.findings import Findings
from environments.bundles.loading import Document, Source

LISTS = ("nlu", "stories", "rules")
TRAINING_KEYS = (*LISTS, "flows")
# Parts of a domain that name things: lists of names (or of one name with its options), and mappings by name.
DOMAIN_LISTS = ("intents", "entities", "actions", "e2e_actions")
DOMAIN_MAPPINGS = ("slots", "responses", "forms")
DOMAIN_KEYS = frozenset({*DOMAIN_LISTS, *DOMAIN_MAPPINGS, "session_config", "config", "version"})


def add_training(training: Document, source: Source, findings: Findings) -> None:
    """Add what a file trains. Stories of a `test_…` file are tests, as for `rasa test`."""
    part = source.document
    _check_version(source, findings)
    for key in LISTS:
        items = part.get(key)
        if items and isinstance(items, list) and not (key != "nlu" and is_test(source.path)):
            training.setdefault(key, []).extend(items)
    for key in ("flows", "responses"):
        if part.get(key):
            training[key] = merged(key, training.get(key, {}), source, findings)
    if part.get("version"):
        training["version"] = max(str(part["version"]), training.get("version", ""))


def add_domain(domain: Document, source: Source, findings: Findings) -> None:
    _check_version(source, findings)
    for key, value in source.document.items():
        if value is None or key in TRAINING_KEYS:
            continue
        if key == "version":
            domain[key] = max(str(value), domain.get(key, ""))
        elif key in DOMAIN_LISTS:
            domain[key] = _merged_names(key, domain.get(key, []), source, findings)
        elif key in DOMAIN_MAPPINGS:
            domain[key] = merged(key, domain.get(key, {}), source, findings)
        elif domain.setdefault(key, value) != value:
            findings.refuse(source, (key,), f"{key} differs from the one in another domain file. Keep one of them.")


def merged(key: str, first: Document, source: Source, findings: Findings) -> Document:
    """The mapping under `key` of the source, added to what other files say under it."""
    second = source.document[key]
    if not isinstance(second, dict):
        findings.refuse(source, (key,), f"{key} must be a mapping of names. Write each as `name: …`.")
        return first
    for name in first.keys() & second.keys():
        if first[name] != second[name]:
            _tell_of_two(source, key, name, findings)
    return {**first, **second}


def _merged_names(key: str, first: list[Any], source: Source, findings: Findings) -> list[Any]:
    """Each name once; one with options (`greet: {use_entities: []}`) wins over the bare name."""
    merged = {_name(item): item for item in first}
    second = source.document[key]
    for number, item in enumerate(second if isinstance(second, list) else []):
        name = _name(item)
        known = merged.get(name, name)
        if isinstance(known, dict) and isinstance(item, dict) and known != item:
            _tell_of_two(source, key, number, findings)
        merged[name] = known if isinstance(known, dict) else item
    return list(merged.values())


def _tell_of_two(source: Source, key: str, name: str | int, findings: Findings) -> None:
    what = str(name) if isinstance(name, str) else _name(source.document[key][name])
    findings.refuse(
        source,
        (
            key,
            name,
        ),
        f"{what} under {key} is defined differently elsewhere. Keep one of them.",
    )


def _name(item: Any) -> str:
    return str(next(iter(item), "")) if isinstance(item, dict) else str(item)


def _check_version(source: Source, findings: Findings) -> None:
    version = source.document.get("version")
    if version is not None and not str(version).startswith("3"):
        findings.refuse(
            source, ("version",), f"The format version is {version}, which Rasa 3 skips. Run `rasa data migrate`."
        )
