"""Names as they are accepted, judged as sent and never cleaned up."""

import re

from environments.errors import InvalidName

LONGEST_MODEL = 200
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", re.ASCII)
REF = re.compile(r"[^\s~^:?*\[\\\x00-\x1f\x7f+-][^\s~^:?*\[\\\x00-\x1f\x7f]{0,199}")
LABEL = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
ARCHIVE_SUFFIX = ".tar.gz"

# Words that are routes, so that no model can hide one.
RESERVED_MODEL_NAMES = frozenset({"tags", "jobs", "nlu", "core"})
# The environments that Rasa X knows.
PRODUCTION, WORKER = "production", "worker"

# Tags that mean something by themselves: the model registered last, and what Rasa Platform calls `production`.
LATEST, ACTIVE = "latest", "active"
RESERVED_LABELS = frozenset({LATEST, ACTIVE})

MODEL_RULE = "up to 200 letters, digits, '.', '_' and '-', beginning with a letter or digit"
LABEL_RULE = "up to 63 lower-case letters, digits and '-', beginning with a letter or digit"


def check_model_name(name: str, *, field: str = "") -> None:
    """`field`: the member of a body that the name came in."""
    if not MODEL.fullmatch(name):
        raise _invalid(field, f"The model name {name[:80]!r} cannot be used. Take {MODEL_RULE}.")
    if name.endswith(ARCHIVE_SUFFIX):
        raise _invalid(field, "Name the model without .tar.gz.")
    if name in RESERVED_MODEL_NAMES:
        raise _invalid(field, f"{name} is the name of a route and cannot be a model's. Choose another name.")


def check_label(name: str, kind: str, *, field: str = "") -> None:
    """A tag's, an environment's or a project's name; `kind` is the word for the sentence, `field` as above."""
    if not LABEL.fullmatch(name):
        raise _invalid(field, f"The {kind} name {name[:80]!r} cannot be used. Take {LABEL_RULE}.")
    if kind != "project" and name in RESERVED_LABELS:
        raise _invalid(
            field, f"{name} always means something else and cannot be used. Choose another name for the {kind}."
        )


def check_ref(ref: str, *, field: str = "ref") -> None:
    """A branch, a tag or a commit, as git lets one be named, and nothing that git could read otherwise."""
    parts = ref.split("/")
    odd = any(not part or part.startswith(".") or part.endswith((".", ".lock")) for part in parts)
    if not REF.fullmatch(ref) or not ref.isprintable() or odd or ".." in ref or "@{" in ref or ref == "@":
        raise _invalid(
            field,
            f"{ref[:80]!r} names no branch, tag or commit. Write it as git does: main, v1.2, refs/heads/main.",
        )


def canonical_tag(tag: str) -> str:
    return PRODUCTION if tag == ACTIVE else tag


def _invalid(field: str, detail: str) -> InvalidName:
    return InvalidName(detail, errors={field: [detail]} if field else None)
