"""A Rasa project to train from: find its parts, validate them, merge them into one document for a server.

Pure: bytes in, values out. Raises `BundleInvalid` with a sentence that names the file and the cure.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from environments.errors import BundleInvalid
from environments.packing import Files, Limits, unpack

CONFIG_NAMES = ("config.yml", "config.yaml")
DOMAIN_NAMES = ("domain.yml", "domain.yaml")
YAML_SUFFIXES = frozenset({".yml", ".yaml"})

# The importer that Rasa uses by itself.
OWN_IMPORTERS: tuple[list[Any], ...] = ([], ["RasaFileImporter"], [{"name": "RasaFileImporter"}])

LISTS = ("nlu", "stories", "rules")
TRAINING_KEYS = (*LISTS, "flows")
# Parts of a domain that name things: lists of names (or of one name with its options), and mappings by name.
DOMAIN_LISTS = ("intents", "entities", "actions", "e2e_actions")
DOMAIN_MAPPINGS = ("slots", "responses", "forms")
DOMAIN_KEYS = frozenset({*DOMAIN_LISTS, *DOMAIN_MAPPINGS, "session_config", "config", "version"})

# Of one file, as it is written and with its aliases written out: a tiny file can stand for more than any machine holds,
# and each node takes hundreds of bytes while the file is read.
MAX_NODES = 500_000
MAX_DEPTH = 200

Document = dict[str, Any]


@dataclass(frozen=True)
class Project:
    """`files` are relative to the project's root; the rest is what the server trains on."""

    files: tuple[str, ...]
    config: Document
    domain: Document
    training: Document

    @property
    def counts(self) -> dict[str, int]:
        """How many intents have examples, how many examples there are, and the stories, rules and flows."""
        items = [item for item in self.training.get("nlu", []) if isinstance(item, dict) and item.get("intent")]
        return {
            "intents": len({item["intent"] for item in items if isinstance(item["intent"], str)}),
            "examples": sum(_examples(item.get("examples")) for item in items),
            "stories": len(self.training.get("stories", [])),
            "rules": len(self.training.get("rules", [])),
            "flows": len(self.training.get("flows", {})),
        }

    def document(self, config: str = "") -> bytes:
        """The YAML document for `POST /model/train`; `config` is used in place of the project's own."""
        chosen = parse_config(config) if config else self.config
        training = {**self.training}
        responses = _merge_mapping(
            "responses", self.domain.get("responses") or {}, training.pop("responses", {}), "the training data"
        )
        merged = {**chosen, **self.domain, **training} | ({"responses": responses} if responses else {})
        return _dump({key: value for key, value in merged.items() if key != "version"} | _version(merged))


def read(file: BinaryIO, limits: Limits) -> Project:
    """The project in a zip or tar.gz, validated as a server would miss it: domain, config, something to train from."""
    files = _at_root(unpack(file, limits))
    config = _config(files)
    domain = _domain(files)
    training = _training(files)
    return Project(tuple(sorted(files)), config, domain, training)


def parse_config(text: str) -> Document:
    """A `config.yml` given by itself. Raises BundleInvalid."""
    return _checked_config("config", _mapping("config", text.encode()))


# Finding


def _at_root(files: Files) -> Files:
    """The files below the folder that holds the uppermost config: archives often have one folder around everything."""
    roots = {PurePosixPath(path).parent for path in files if PurePosixPath(path).name in CONFIG_NAMES}
    if not roots:
        raise BundleInvalid("There is no config.yml. Put the project's own one at the root of the archive.")
    depth = min(len(root.parts) for root in roots)
    uppermost = sorted(str(root) for root in roots if len(root.parts) == depth)
    if len(uppermost) > 1:
        raise BundleInvalid(f"There are several projects: {', '.join(uppermost[:5])}. Pack one of them alone.")
    root = PurePosixPath(uppermost[0])
    return {
        str(PurePosixPath(path).relative_to(root)): content
        for path, content in files.items()
        if PurePosixPath(path).is_relative_to(root)
    }


def _yaml_below(files: Files, folder: str) -> Iterator[tuple[str, Document]]:
    for path in sorted(files):
        pure, content = PurePosixPath(path), files[path]
        if pure.parts[0] == folder and len(pure.parts) > 1 and content is not None:
            if pure.suffix.lower() in YAML_SUFFIXES:
                yield path, _mapping(path, content)
            elif b"rasa_nlu_data" in content:
                raise BundleInvalid(
                    f"{path} is training data in JSON. Convert it: rasa data convert nlu -f yaml --data {path}"
                )


def _config(files: Files) -> Document:
    found = [name for name in CONFIG_NAMES if files.get(name) is not None]
    if len(found) > 1:
        raise BundleInvalid("There are config.yml and config.yaml. Keep one of them.")
    return _checked_config(found[0], _mapping(found[0], files[found[0]] or b""))


def _checked_config(path: str, config: Document) -> Document:
    importers = config.get("importers") or []
    if importers not in OWN_IMPORTERS or config.get("imports"):
        raise BundleInvalid(
            f"{path}: importers and imports cannot be used, as the server gets one document. "
            "Put all training data under data/ and remove the keys."
        )
    return {key: value for key, value in config.items() if key not in DOMAIN_KEYS | {"importers", "imports"}}


def _domain(files: Files) -> Document:
    found = [(name, _mapping(name, files[name] or b"")) for name in DOMAIN_NAMES if files.get(name) is not None]
    found += list(_yaml_below(files, "domain"))
    if not found:
        raise BundleInvalid("There is no domain. Add domain.yml, or a folder domain/ with YAML files.")
    domain: Document = {}
    for path, part in found:
        domain = _merge_domain(path, domain, part)
    return domain


def _training(files: Files) -> Document:
    has_folder = any(path.startswith("data/") for path in files)
    found = _yaml_below(files, "data") if has_folder else _training_at_root(files)
    training: Document = {}
    for path, part in found:
        _add_training(path, training, part)
    if not any(training.get(key) for key in TRAINING_KEYS):
        raise BundleInvalid(
            "There is nothing to train from: no nlu, stories, rules or flows in the YAML files under data/. Add some."
        )
    return training


def _training_at_root(files: Files) -> Iterator[tuple[str, Document]]:
    for path in sorted(files):
        pure, content = PurePosixPath(path), files[path]
        if len(pure.parts) > 1 or content is None or pure.suffix.lower() not in YAML_SUFFIXES:
            continue
        document = _load(path, content)
        if isinstance(document, dict) and set(TRAINING_KEYS) & set(document):
            yield path, document


# Merging


def _add_training(path: str, training: Document, part: Document) -> None:
    """Add what a file trains. Stories of a `test_…` file are tests, as for `rasa test`."""
    is_test = PurePosixPath(path).name.startswith("test_")
    _check_version(path, part)
    for key in LISTS:
        items = part.get(key) or []
        if not isinstance(items, list):
            raise BundleInvalid(f"{path}: {key} must be a list.")
        if items and not (is_test and key != "nlu"):
            training.setdefault(key, []).extend(items)
    for key in ("flows", "responses"):
        if part.get(key):
            training[key] = _merge_mapping(key, training.get(key, {}), part[key], path)
    if part.get("version"):
        training["version"] = max(str(part["version"]), training.get("version", ""))


def _merge_domain(path: str, domain: Document, part: Document) -> Document:
    _check_version(path, part)
    merged = dict(domain)
    for key, value in part.items():
        if value is None or key in TRAINING_KEYS:
            continue
        if key == "version":
            merged[key] = max(str(value), merged.get(key, ""))
        elif key in DOMAIN_LISTS:
            merged[key] = _merge_names(key, merged.get(key, []), value, path)
        elif key in DOMAIN_MAPPINGS:
            merged[key] = _merge_mapping(key, merged.get(key, {}), value, path)
        elif merged.setdefault(key, value) != value:
            raise BundleInvalid(f"{path}: {key} differs from the one in another domain file. Keep one of them.")
    return merged


def _merge_mapping(key: str, first: Any, second: Any, path: str) -> Document:
    if not isinstance(second, dict):
        raise BundleInvalid(f"{path}: {key} must be a mapping of names.")
    for name in first.keys() & second.keys():
        if first[name] != second[name]:
            raise BundleInvalid(f"{path}: {name} under {key} is defined differently elsewhere. Keep one of them.")
    return {**first, **second}


def _merge_names(key: str, first: list[Any], second: Any, path: str) -> list[Any]:
    """Each name once; one with options (`greet: {use_entities: []}`) wins over the bare name."""
    if not isinstance(second, list):
        raise BundleInvalid(f"{path}: {key} must be a list of names.")
    merged = {_name(item): item for item in first}
    for item in second:
        name = _name(item)
        known = merged.get(name, name)
        if isinstance(known, dict) and isinstance(item, dict) and known != item:
            raise BundleInvalid(f"{path}: {name} under {key} is defined differently elsewhere. Keep one of them.")
        merged[name] = known if isinstance(known, dict) else item
    return list(merged.values())


def _name(item: Any) -> str:
    return str(next(iter(item), "")) if isinstance(item, dict) else str(item)


def _check_version(path: str, part: Document) -> None:
    version = part.get("version")
    if version is not None and not str(version).startswith("3"):
        raise BundleInvalid(f"{path} is of the format version {version}; Rasa 3 skips it. Run: rasa data migrate")


def _version(merged: Document) -> Document:
    return {"version": str(merged["version"])} if merged.get("version") else {}


def _examples(examples: Any) -> int:
    if isinstance(examples, list):
        return len(examples)
    return sum(line.lstrip().startswith("-") for line in examples.splitlines()) if isinstance(examples, str) else 0


# YAML


def _mapping(path: str, content: bytes) -> Document:
    document = _load(path, content)
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise BundleInvalid(f"{path} must be a mapping of keys such as nlu, stories or intents.")
    return document


class _TooLarge(YAMLError):
    pass


class _BoundedComposer(Composer):
    """Refuses a file of too many nodes while it is read."""

    nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _TooLarge
        return super().compose_node(parent, index)


class _BoundedConstructor(SafeConstructor):
    """Refuses what aliases and merges blow up, or tie into a ring, before anything is made of it."""

    def construct_document(self, node: Any) -> Any:
        if _weight(node, {}, 0) >= MAX_NODES:
            raise _TooLarge
        return super().construct_document(node)


def _weight(node: Node, weights: dict[int, int], depth: int) -> int:
    """How many nodes it is when every alias is written out; `MAX_NODES` for what is too deep or a ring."""
    if id(node) not in weights:
        weights[id(node)] = MAX_NODES  # while it is open: a ring weighs too much
        children = _children(node) if depth <= MAX_DEPTH else []
        weight = sum(_weight(child, weights, depth + 1) for child in children)
        weights[id(node)] = 1 + weight if depth <= MAX_DEPTH else MAX_NODES
    return weights[id(node)]


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer, yaml.Constructor = _BoundedComposer, _BoundedConstructor
    return yaml


def _load(path: str, content: bytes) -> Any:
    try:
        return _yaml().load(_as_rasa_reads(content))
    except UnicodeError as error:
        raise BundleInvalid(f"{path} is not UTF-8 text. Save it as UTF-8.") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" line {mark.line + 1}, column {mark.column + 1}:" if mark else ""
        what = str(error.problem or error.context or "not valid YAML").strip().rstrip(".")
        raise BundleInvalid(f"{path}:{where} {what}. Correct the YAML.") from error
    except (_TooLarge, RecursionError) as error:
        raise BundleInvalid(
            f"{path} is too large, too deep or repeats itself by aliases. Write it out, in several files."
        ) from error
    except (YAMLError, ValueError, OverflowError, TypeError, LookupError, AttributeError) as error:
        # The last four are its words for a tag on the wrong value, and for a mapping as a part of a key.
        what = str(error)[:300].rstrip(".")
        raise BundleInvalid(f"{path}: {what}. Correct the YAML.") from error


def _as_rasa_reads(content: bytes) -> str:
    r"""Rasa turns `\u263a` in a file of ASCII alone into the character, surrogate pairs too; nowhere else."""
    text = content.decode("utf-8-sig")
    if not text.isascii():
        return text
    return text.encode().decode("raw_unicode_escape").encode("utf-16", "surrogatepass").decode("utf-16")


def _dump(document: Document) -> bytes:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.width = 10_000
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    text = StringIO()
    yaml.dump(document, text)
    try:
        return text.getvalue().encode()
    except UnicodeEncodeError as error:
        raise BundleInvalid("The project holds characters that are none (lone surrogates). Remove them.") from error
