"""The parts of a pipeline's declaration: source, configs, triggers. Each is read, and written as JSON again."""

import json
from dataclasses import dataclass
from io import StringIO
from pathlib import PurePosixPath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from accounts.problems import Problem
from environments import bundles, names, schedules
from environments.bundles.finding import CONFIG_NAMES
from environments.pipeline_reader import PipelineReader

NEWEST = "newest"
MAX_CONFIGS = 10
MAX_REFS = 20
LONGEST_PATH = 300
LONGEST_REF = 200
# In place of the branches whose pushes count: the one that the source takes.
OWN_BRANCH = ""


# Where the data comes from


@dataclass(frozen=True)
class Source:
    """A git repository of the project (and a ref in place of its own), or without one the newest bundle."""

    repository: str | None = None
    ref: str = ""

    def declaration(self) -> Any:
        if self.repository is None:
            return NEWEST
        return {"repository": self.repository} | ({"ref": self.ref} if self.ref else {})


def read_source(reader: PipelineReader, node: Node, key: str) -> Source | None:
    cure = f"Write {NEWEST}, or {{repository: NAME, ref: main}}."
    if isinstance(node, ScalarNode):
        text = reader.scalar(node, key, ["str"], cure)
        if text not in (None, NEWEST):
            reader.refuse(key, f"is not known. {cure}")
        return Source() if text == NEWEST else None
    entries = reader.members(node, key, ["repository", "ref"], cure)
    repository = reader.text(entries["repository"], f"{key}.repository") if "repository" in entries else None
    if "repository" not in entries:
        reader.refuse(f"{key}.repository", "is missing. Name a repository of the project.")
    elif repository is not None:
        reader.attempt(f"{key}.repository", lambda: names.check_label(repository or "", "repository"))
    ref = read_ref(reader, entries["ref"], f"{key}.ref") if "ref" in entries else ""
    return Source(repository, ref or "") if repository is not None else None


def read_ref(reader: PipelineReader, node: Node, key: str) -> str | None:
    """A branch or tag; one that begins with - could be read as an option of a program."""
    text = reader.short(node, key, LONGEST_REF)
    if text is not None and (text.startswith("-") or " " in text):
        reader.refuse(key, "is no branch or tag. Write its name as git shows it, like main.")
        return None
    return text


# What is trained


@dataclass(frozen=True)
class Config:
    """The bundle's own config.yml, the one at `path` in the bundle, or `inline` as the JSON text of one."""

    path: str = ""
    inline: str = ""

    def declaration(self) -> Any:
        return json.loads(self.inline) if self.inline else self.path or "config.yml"

    def title(self, place: int) -> str:
        """What it is called where several are shown."""
        return f"config {place + 1}" if self.inline else self.path or "config.yml"


def read_configs(reader: PipelineReader, node: Node, key: str) -> tuple[Config, ...] | None:
    cure = "Write a list of paths in the bundle, like [config.yml, configs/diet.yml], or of configs themselves."
    nodes = reader.items(node, key, MAX_CONFIGS, cure)
    read = [_read_config(reader, item, f"{key}.{place}") for place, item in enumerate(nodes)]
    found = [config for config in read if config is not None]
    for place, config in enumerate(found):
        if config in found[:place]:
            reader.refuse(f"{key}.{place}", "is in the list twice. Remove one of the two.")
    return tuple(found) or None


def _read_config(reader: PipelineReader, node: Node, key: str) -> Config | None:
    if isinstance(node, MappingNode):
        return _inline(reader, node, key)
    path = reader.short(node, key, LONGEST_PATH)
    if path is None:
        return None
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or pure.suffix not in (".yml", ".yaml"):
        reader.refuse(key, "is no path of a YAML file in the bundle. Write it like configs/diet.yml.")
        return None
    return Config() if path in CONFIG_NAMES else Config(path=path)


def _inline(reader: PipelineReader, node: Node, key: str) -> Config | None:
    written = StringIO()
    YAML(typ="safe", pure=True).serialize(node, written)
    try:
        text = json.dumps(bundles.parse_config(written.getvalue()), ensure_ascii=False, allow_nan=False)
    except Problem as problem:
        reader.refuse(key, problem.detail)
        return None
    except (TypeError, ValueError):
        reader.refuse(key, "holds a value that JSON does not know, like a date. Put it in quotes.")
        return None
    return Config(inline=text)


# What starts it


@dataclass(frozen=True)
class Triggers:
    """`schedule` is five fields of cron, read in `time_zone`. `push` are the branches whose pushes count, with `*` for
    any text (`OWN_BRANCH`: the one of the source); none: no push does. `upload`: each new bundle of the project."""

    schedule: str = ""
    time_zone: str = "UTC"
    push: tuple[str, ...] = ()
    upload: bool = False

    def declaration(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        if self.schedule:
            told |= {"schedule": self.schedule, "time_zone": self.time_zone}
        if self.push:
            told["push"] = self.push == (OWN_BRANCH,) or list(self.push)
        return told | ({"upload": True} if self.upload else {})


def read_triggers(reader: PipelineReader, node: Node, key: str) -> Triggers:
    example = '`on: {schedule: "0 3 * * *", time_zone: Europe/Berlin}`'
    entries = reader.members(node, key, ["schedule", "time_zone", "push", "upload"], example)
    schedule = reader.text(entries["schedule"], f"{key}.schedule") if "schedule" in entries else None
    time_zone = reader.text(entries["time_zone"], f"{key}.time_zone") if "time_zone" in entries else None
    if time_zone is not None and schedule is None and "schedule" not in entries:
        reader.refuse(f"{key}.time_zone", "has no schedule beside it. Write one, or remove it.")
    _check_schedule(reader, key, schedule, time_zone or "UTC")
    push = _read_push(reader, entries["push"], f"{key}.push") if "push" in entries else ()
    upload = reader.flag(entries["upload"], f"{key}.upload") if "upload" in entries else False
    return Triggers(schedule or "", time_zone or "UTC", push, bool(upload))


def _check_schedule(reader: PipelineReader, key: str, schedule: str | None, time_zone: str) -> None:
    try:
        schedules.zone(time_zone)
    except schedules.BadSchedule as bad:
        reader.refuse(f"{key}.time_zone", str(bad))
        return
    if schedule is None:
        return
    try:
        schedules.parse(schedule, time_zone)
    except schedules.BadSchedule as bad:
        reader.refuse(f"{key}.schedule", str(bad))


def _read_push(reader: PipelineReader, node: Node, key: str) -> tuple[str, ...]:
    """`true` is the branch that the source takes; a list names others."""
    if isinstance(node, ScalarNode):
        return (OWN_BRANCH,) if reader.flag(node, key) else ()
    nodes = reader.items(node, key, MAX_REFS, "Write true, or the branches that count, like [main, release/*].")
    read = [read_ref(reader, item, f"{key}.{place}") for place, item in enumerate(nodes)]
    return tuple(ref for ref in read if ref is not None)
