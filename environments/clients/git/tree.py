"""The files of a commit that make a bundle, by their names in git. Links are followed inside the tree alone."""

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from environments.clients.git.errors import TooLarge, UnusableTree
from environments.clients.git.fetching import Commit

LINK = "120000"
MODULE = "160000"
MAX_HOPS = 10
LFS = b"version https://git-lfs.github.com/spec/"
# No pointer of LFS and no link is larger.
SMALL = 1024


@dataclass(frozen=True)
class Entry:
    """One member of a tree: `name` is git's name for its content, `size` in bytes (0 for a submodule)."""

    mode: str
    name: str
    size: int


@dataclass(frozen=True)
class Tree:
    """`files` by their paths below the folder that was asked for; `modules` are the submodules there."""

    files: dict[str, Entry]
    modules: tuple[str, ...]


def read(commit: Commit, folder: str, wanted: Callable[[PurePosixPath], bool], max_files: int, max_bytes: int) -> Tree:
    """The files below `folder` ("" is the root) that are `wanted`. Raises TooLarge and UnusableTree."""
    entries = _entries(commit)
    below = {_below(path, folder): path for path in entries if _below(path, folder)}
    if not below:
        raise UnusableTree(
            f"The commit has no folder {folder}. Give the one that the Rasa project is in."
            if folder
            else "The commit holds no files. Commit the Rasa project first."
        )
    kept = {short: path for short, path in below.items() if wanted(PurePosixPath(short))}
    modules = tuple(short for short, path in kept.items() if entries[path].mode == MODULE)
    links = _links(commit, entries, [path for path in kept.values() if entries[path].mode == LINK])
    files = {short: entries[links.get(path, path)] for short, path in kept.items() if short not in modules}
    if len(files) > max_files or sum(entry.size for entry in files.values()) > max_bytes:
        raise TooLarge(
            f"The project has more than {max_files} files or {max_bytes} bytes. Keep what is not its own out of it, or "
            "name its folder."
        )
    return Tree(files, modules)


def is_lfs_pointer(content: bytes) -> bool:
    return len(content) < SMALL and content.startswith(LFS)


def _entries(commit: Commit) -> dict[str, Entry]:
    listed = commit.git.run("ls-tree", "-r", "-z", "-l", "--full-tree", commit.name).text
    entries = {}
    for line in listed.split(b"\0"):
        head, _, path = line.partition(b"\t")
        words = head.split()
        if len(words) == 4:
            size = int(words[3]) if words[3].isdigit() else 0
            entries[path.decode(errors="surrogateescape")] = Entry(words[0].decode(), words[2].decode(), size)
    return entries


def _below(path: str, folder: str) -> str:
    prefix = f"{folder}/" if folder else ""
    return path[len(prefix) :] if path.startswith(prefix) else ""


def _links(commit: Commit, entries: dict[str, Entry], wanted: list[str]) -> dict[str, str]:
    """Where the wanted links lead to, in the end. All links of the tree are read, as one may lead to another."""
    if not wanted:
        return {}
    links = [path for path, entry in entries.items() if entry.mode == LINK and entry.size < 4096]
    contents = commit.git.blobs([entries[path].name for path in links])
    targets = {path: content.decode(errors="surrogateescape") for path, content in zip(links, contents, strict=True)}
    return {path: _followed(path, targets, entries) for path in wanted}


def _followed(path: str, targets: dict[str, str], entries: dict[str, Entry]) -> str:
    at = path
    for _ in range(MAX_HOPS):
        target = targets.get(at, "/")
        to = posixpath.normpath(posixpath.join(posixpath.dirname(at), target))
        if target.startswith("/") or to == ".." or to.startswith("../"):
            raise _unusable(path, "leads out of the repository")
        entry = entries.get(to)
        if entry is None or entry.mode == MODULE:
            raise _unusable(path, "leads to a folder" if _is_folder(to, entries) else "leads to nothing")
        if entry.mode != LINK:
            return to
        at = to
    raise _unusable(path, "leads in a circle")


def _is_folder(path: str, entries: dict[str, Entry]) -> bool:
    return path == "." or any(other.startswith(f"{path}/") for other in entries)


def _unusable(path: str, what: str) -> UnusableTree:
    shown = path.encode(errors="replace").decode()[:200]
    return UnusableTree(f"{shown} is a symbolic link that {what}. Commit the file itself in its place.")
