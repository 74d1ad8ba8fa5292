"""Keys and kinds of values in the files of a project, held to Rasa's own schemas."""

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from environments.bundles.findings import Findings
from environments.bundles.loading import Path, Source


def shown(value: Any) -> str:
    """A value in a sentence."""
    return repr(value)[:60]


def list_of(source: Source, key: str, findings: Findings) -> list[Any]:
    """What stands under a key that must hold a list."""
    items = source.document.get(key)
    if items is not None and not isinstance(items, list):
        findings.refuse(source, (key,), f"{key} must be a list. Begin each of its items with '- '.")
    return items if isinstance(items, list) else []


def mapping_of(source: Source, path: Path, value: Any, what: str, findings: Findings) -> bool:
    if isinstance(value, dict):
        return True
    findings.refuse(
        source, (*path,), f"{what} must be a mapping of keys, not {shown(value)}. Write it as `key: value`."
    )
    return False


def is_text(source: Source, path: Path, value: Any, what: str, findings: Findings) -> bool:
    """Whether it is text; nothing at all is none, and told by who asks."""
    if value is None or isinstance(value, str):
        return isinstance(value, str)
    findings.refuse(source, (*path,), f"{what} must be text, not {shown(value)}. Put it in quotation marks.")
    return False


def check_keys(
    source: Source, path: Path, item: Mapping[Any, Any], allowed: Collection[str], what: str, findings: Findings
) -> bool:
    unknown = [str(key) for key in item if key not in allowed]
    for key in unknown:
        close = difflib.get_close_matches(key, allowed, n=1)
        cure = f"Did you mean {close[0]}?" if close else f"It may have {', '.join(sorted(allowed))}."
        findings.refuse(
            source,
            (
                *path,
                key,
            ),
            f"{what} has no key {key[:60]}. {cure}",
        )
    return not unknown
