"""The parts of a project among its files: config, domain, what it trains from and what it is tested on."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from environments.errors import BundleInvalid
from environments.packing import Files

CONFIG_NAMES = ("config.yml", "config.yaml")
DOMAIN_NAMES = ("domain.yml", "domain.yaml")
YAML_SUFFIXES = frozenset({".yml", ".yaml"})

# Where tests lie, by habit and by `rasa data split nlu`.
TEST_FOLDERS = frozenset({"tests", "test"})
SPLIT_OFF = "train_test_split/test_data"

# A file of YAML: its path and its bytes.
Found = tuple[str, bytes]


def root_of(paths: list[str]) -> PurePosixPath:
    """The folder that holds the uppermost config: archives often have one folder around everything."""
    roots = {PurePosixPath(path).parent for path in paths if PurePosixPath(path).name in CONFIG_NAMES}
    if not roots:
        raise BundleInvalid("There is no config.yml. Put the project's own one at the root of the archive.")
    depth = min(len(root.parts) for root in roots)
    uppermost = sorted(str(root) for root in roots if len(root.parts) == depth)
    if len(uppermost) > 1:
        raise BundleInvalid(f"There are several projects: {', '.join(uppermost[:5])}. Pack one of them alone.")
    return PurePosixPath(uppermost[0])


def at_root(files: Files) -> Files:
    root = root_of(list(files))
    return {
        str(PurePosixPath(path).relative_to(root)): content
        for path, content in files.items()
        if PurePosixPath(path).is_relative_to(root)
    }


def is_test(path: str) -> bool:
    """Whether stories of that file are tests, as for `rasa test`."""
    return PurePosixPath(path).name.startswith("test_")


def config(files: Files) -> Found:
    found = [(name, content) for name in CONFIG_NAMES if (content := files.get(name)) is not None]
    if len(found) > 1:
        raise BundleInvalid("There are config.yml and config.yaml. Keep one of them.")
    return found[0]


def domain(files: Files) -> list[Found]:
    found = [(name, content) for name in DOMAIN_NAMES if (content := files.get(name)) is not None]
    found += _yaml_below(files, "domain")
    if not found:
        raise BundleInvalid("There is no domain. Add domain.yml, or a folder domain/ with YAML files.")
    return found


def training(files: Files) -> list[Found]:
    """Those under data/, or where there is no such folder those at the root, which may be anything."""
    _refuse_json(files)
    return list(_yaml_below(files, "data") if has_data_folder(files) else _yaml_at_root(files))


def has_data_folder(files: Files) -> bool:
    return any(path.startswith("data/") for path in files)


def tests(files: Files) -> list[Found]:
    """Those that may hold tests: in a folder of tests, or named like a test."""
    return [
        (path, content)
        for path, content in _yaml(files)
        if PurePosixPath(path).parts[0] in TEST_FOLDERS or is_test(path) or path.startswith(f"{SPLIT_OFF}.")
    ]


def _yaml(files: Files) -> Iterator[Found]:
    for path, content in sorted(files.items()):
        if content is not None and PurePosixPath(path).suffix.lower() in YAML_SUFFIXES:
            yield path, content


def _yaml_below(files: Files, folder: str) -> Iterator[Found]:
    return (found for found in _yaml(files) if found[0].startswith(f"{folder}/"))


def _yaml_at_root(files: Files) -> Iterator[Found]:
    return (found for found in _yaml(files) if "/" not in found[0])


def _refuse_json(files: Files) -> None:
    for path, content in files.items():
        if path.startswith("data/") and path.lower().endswith(".json") and b"rasa_nlu_data" in (content or b""):
            raise BundleInvalid(
                f"{path} is training data in JSON. Convert it: rasa data convert nlu -f yaml --data {path}"
            )
