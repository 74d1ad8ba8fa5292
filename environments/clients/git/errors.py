"""What can be wrong with a repository. Every text is a sentence without secrets, with its cure."""


class GitError(Exception):
    """The repository could not be read."""


class Unavailable(GitError):
    """Nobody's mistake, or the installation's: no connection, no answer in time, no `git` here."""


class Refused(GitError):
    """The server does not let these credentials in, has another key than expected, or has no such repository."""


class NoSuchRef(GitError):
    """The repository has no such branch, tag or commit."""


class TooLarge(GitError):
    """More bytes or files than are taken."""


class UnusableTree(GitError):
    """What the commit holds cannot become a bundle: no such folder, links that lead nowhere good."""
