"""pipelines.yml → frozen dataclasses, and the one validator of a pipeline, whichever door it comes through.

The file is judged as a whole, as environments.yml is. The API's JSON and the page's text are judged by the same
functions: JSON is YAML. Pure; nothing is expanded, for nothing in a pipeline is secret.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.nodes import Node

from accounts.problems import InvalidFields
from environments import names
from environments.errors import PipelinesFileInvalid
from environments.gate_spec import Gates, read_gates
from environments.pipeline_parts import Config, Source, Triggers, read_configs, read_source, read_triggers
from environments.pipeline_reader import PipelineReader
from environments.states import EvaluationMethod
from environments.yaml_file import FileError, SyntaxErrorAt, compose, is_null

DEFAULT_PROJECT = "default"
# Characters of one pipeline that comes through the API or a page: to read YAML takes its time.
LONGEST = 100_000
EXAMPLE = "`nightly: {owner: ana, promote: experimental, on: {schedule: 0 3 * * *}}`"
FILE_EXAMPLE = f"`pipelines: {{{EXAMPLE.strip('`')}}}`, or `pipelines: {{}}` for none."


@dataclass(frozen=True)
class Pipeline:
    """One pipeline as it is declared, defaults filled in. `owner` is "" where the door knows who it is.

    `evaluate` None: on the bundle's test data, and where it has none on a part of its examples that is held out.
    """

    project: str
    name: str
    line: int
    owner: str
    enabled: bool
    source: Source
    configs: tuple[Config, ...]
    evaluate: EvaluationMethod | None
    gates: Gates
    promote: str | None
    notify: bool
    on: Triggers

    def declaration(self) -> dict[str, Any]:
        """As JSON, which reads as the same pipeline again."""
        return {
            "source": self.source.declaration(),
            "configs": [config.declaration() for config in self.configs],
            "evaluate": self.evaluate and self.evaluate.value,
            "gates": self.gates.declaration(),
            "promote": self.promote,
            "notify": self.notify,
            "on": self.on.declaration(),
        }


@dataclass(frozen=True)
class Declaration:
    """The whole file, and every project it names, those without pipelines too."""

    projects: tuple[str, ...]
    pipelines: tuple[Pipeline, ...]


def grants(pipeline: Pipeline) -> list[str]:
    """What its steps need, in words."""
    needed = ["training.write", "evaluations.write"]
    return [*needed, "environments.read", f"environments.{pipeline.promote}.write"] if pipeline.promote else needed


# The file


def load(path: Path) -> Declaration:
    """The declaration in the file, an empty one where there is no file; raises `PipelinesFileInvalid`."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return Declaration((), ())
    except OSError as error:
        raise PipelinesFileInvalid(
            f"{path.name} cannot be read ({error.strerror}). Let its permissions say so, remove it, or name another "
            "file in CONTROLPLANE_PIPELINES."
        ) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise refused([FileError(line, "", "is not UTF-8. Save the file as UTF-8.")], path.name) from None
    return parse(text, source=path.name)


def parse(text: str, *, source: str = "pipelines.yml") -> Declaration:
    reader = PipelineReader({})
    try:
        root = compose(text)
    except SyntaxErrorAt as syntax:
        raise refused([syntax.error], source) from None
    declaration = _read_file(reader, root)
    if reader.errors:
        raise refused(reader.errors, source)
    return declaration


def refused(errors: Iterable[FileError], source: str = "pipelines.yml") -> PipelinesFileInvalid:
    """The refusal of a file, also of a readable one that does not fit what is in the database."""
    ordered = sorted(set(errors))
    told = "\n".join(f"  {error}" for error in ordered)
    return PipelinesFileInvalid(f"{source} could not be applied:\n{told}", errors=_by_key(ordered, lines=True))


def key_of(pipeline: Pipeline) -> str:
    """Where it stands in the file, as a dotted path."""
    prefix = "" if pipeline.project == DEFAULT_PROJECT else f"projects.{pipeline.project}."
    return f"{prefix}pipelines.{pipeline.name}"


def _by_key(errors: Iterable[FileError], *, lines: bool) -> dict[str, list[str]]:
    by_key: dict[str, list[str]] = {}
    for error in errors:
        told = f"line {error.line}: {error.message}" if lines else error.message
        by_key.setdefault(error.key, []).append(told)
    return by_key


def _read_file(reader: PipelineReader, root: Node | None) -> Declaration:
    top = {} if root is None else reader.entries(root, "", FILE_EXAMPLE)
    top = reader.known(top, "", ["pipelines", "projects"])
    pipelines = _read_pipelines(reader, top, "", DEFAULT_PROJECT)
    projects = [DEFAULT_PROJECT]
    example = f"`projects: {{banking: {{pipelines: {{{EXAMPLE.strip('`')}}}}}}}`"
    further = reader.entries(top["projects"], "projects", example) if "projects" in top else {}
    for project, node in further.items():
        path = f"projects.{project}"
        reader.attempt(path, lambda project=project: names.check_label(project, "project"))  # type: ignore[misc]
        if project == DEFAULT_PROJECT:
            reader.refuse(path, "is the project of `pipelines` at the top. Move its pipelines there.")
        entries = reader.known(reader.entries(node, path, FILE_EXAMPLE), path, ["pipelines"])
        pipelines += _read_pipelines(reader, entries, f"{path}.", project)
        projects.append(project)
    return Declaration(tuple(projects), tuple(pipelines))


def _read_pipelines(reader: PipelineReader, entries: dict[str, Node], prefix: str, project: str) -> list[Pipeline]:
    path = f"{prefix}pipelines"
    if "pipelines" not in entries:
        reader.refuse(path, f"is missing. Write {FILE_EXAMPLE}")
        return []
    found = reader.entries(entries["pipelines"], path, FILE_EXAMPLE)
    read = [_read_named(reader, node, f"{path}.{name}", project, name) for name, node in found.items()]
    for pipeline in read:
        if not pipeline.owner:
            reader.refuse(f"{key_of(pipeline)}.owner", "is missing. Name the user whose grants it acts with.")
    return read


def _read_named(reader: PipelineReader, node: Node, path: str, project: str, name: str) -> Pipeline:
    reader.attempt(path, lambda: names.check_label(name, "pipeline"))
    entries = reader.entries(node, path, EXAMPLE)
    return _read_pipeline(reader, entries, path, project, name)


# One pipeline


_READ: dict[str, Callable[[PipelineReader, Node, str], Any]] = {
    "owner": PipelineReader.text,
    "enabled": PipelineReader.flag,
    "source": read_source,
    "configs": read_configs,
    "evaluate": lambda reader, node, key: reader.choice(node, key, [method.value for method in EvaluationMethod]),
    "gates": read_gates,
    "promote": PipelineReader.text,
    "notify": PipelineReader.flag,
    "on": read_triggers,
}
KEYS = tuple(_READ)


def read_json(members: Mapping[str, Any], *, project: str, name: str) -> Pipeline:
    """The pipeline that a JSON object declares. Raises `InvalidFields` with every error by its key."""
    return read_text(json.dumps(members, ensure_ascii=False), project=project, name=name, lines=False)


def read_text(text: str, *, project: str, name: str, lines: bool = True) -> Pipeline:
    """The pipeline that a YAML text declares, without its name. Raises `InvalidFields` with every error by its key,
    and by its line where there are `lines`."""
    reader = PipelineReader({})
    if len(text) > LONGEST:
        raise _invalid([FileError(1, "", f"is too long. Write up to {LONGEST} characters.")], lines)
    try:
        root = compose(text)
        entries = {} if root is None else reader.entries(root, "", "`promote: experimental`")
        pipeline = _read_pipeline(reader, entries, "", project, name)
    except SyntaxErrorAt as syntax:
        raise _invalid([syntax.error], lines) from None
    except RecursionError:
        raise _invalid([FileError(1, "", "is nested too deep. Write it flatter.")], lines) from None
    if reader.errors:
        raise _invalid(reader.errors, lines)
    return pipeline


def _invalid(errors: Iterable[FileError], lines: bool) -> InvalidFields:
    ordered = sorted(set(errors))
    told = "; ".join(str(error) if lines else f"{error.key or 'the body'}: {error.message}" for error in ordered[:3])
    more = f" (and {len(ordered) - 3} more)" if len(ordered) > 3 else ""
    return InvalidFields(f"The pipeline is not valid: {told}{more}", errors=_by_key(ordered, lines=lines))


def _read_pipeline(reader: PipelineReader, entries: dict[str, Node], path: str, project: str, name: str) -> Pipeline:
    known = reader.known(entries, path, KEYS)
    prefix = f"{path}." if path else ""
    values: dict[str, Any] = {}
    for key, node in known.items():
        # Without a value a key stands for its default.
        read = None if is_null(node) else _READ[key](reader, node, f"{prefix}{key}")
        if read is not None:
            values[key] = read
    promote = values.get("promote")
    if promote is not None:
        reader.attempt(f"{prefix}promote", lambda: names.check_label(promote, "environment"))
    pipeline = Pipeline(
        project=project,
        name=name,
        line=reader.lines.get(path, 1),
        owner=values.get("owner", ""),
        enabled=values.get("enabled", True),
        source=values.get("source", Source()),
        configs=values.get("configs", (Config(),)),
        evaluate=EvaluationMethod(values["evaluate"]) if "evaluate" in values else None,
        gates=values.get("gates", Gates()),
        promote=promote,
        notify=values.get("notify", True),
        on=values.get("on", Triggers()),
    )
    _check_fits(reader, pipeline, prefix)
    return pipeline


def _check_fits(reader: PipelineReader, pipeline: Pipeline, prefix: str) -> None:
    """What one key cannot tell alone."""
    gates = pipeline.gates
    paired = {"better_than_serving": gates.better_than_serving, "intent_loss": gates.intent_loss}
    for gate in (name for name, value in paired.items() if value is not None):
        key = f"{prefix}gates.{gate}"
        if pipeline.promote is None:
            reader.refuse(key, "compares with what serves, and promote names no environment. Name one, or remove it.")
        if pipeline.evaluate is EvaluationMethod.CROSS_VALIDATION:
            reader.refuse(
                key,
                "compares two models on the same examples, and cross_validation judges data and config, not a model. "
                "Write evaluate: data or evaluate: split.",
            )
    if pipeline.on.push and pipeline.source.repository is None:
        reader.refuse(f"{prefix}on.push", "needs a git repository to fetch from. Name it: source: {repository: NAME}.")
    if pipeline.on.upload and pipeline.source.repository is not None:
        reader.refuse(
            f"{prefix}on.upload",
            "starts with the bundle that was uploaded, and source names a repository. Remove one of the two.",
        )
