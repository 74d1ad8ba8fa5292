"""Git repositories, read by the `git` program over https and ssh. Knows no Django; its errors are `GitError`'s."""

from environments.clients.git.credentials import Credentials
from environments.clients.git.errors import GitError, NoSuchRef, Refused, TooLarge, Unavailable, UnusableTree
from environments.clients.git.fetching import Commit, fetch
from environments.clients.git.program import Limits

__all__ = [
    "Commit",
    "Credentials",
    "GitError",
    "Limits",
    "NoSuchRef",
    "Refused",
    "TooLarge",
    "Unavailable",
    "UnusableTree",
    "fetch",
]
