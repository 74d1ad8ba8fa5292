"""What git's own words mean, as our errors. Its words may quote the server, so only what is known is said again."""

import re

from environments.clients.git.errors import GitError, NoSuchRef, Refused, TooLarge, Unavailable

# The first that is found decides. `{ref}` is the branch, tag or commit that was asked for.
MEANINGS: tuple[tuple[str, type[GitError], str], ...] = (
    (
        r"File too large|file size limit|error: .*: No space left|early EOF.*EFBIG",
        TooLarge,
        "The repository is larger than GIT_MAX_BYTES at {ref}, or the disk is full. Keep large files out of it, or "
        "raise the limit.",
    ),
    (
        r"HOST IDENTIFICATION HAS CHANGED|Host key verification failed|host key is known",
        Refused,
        "The server's host key is none of those that are expected. If the key was changed on purpose, put the new "
        "one into known_hosts (ssh-keyscan prints it; compare it with what the server's owner says).",
    ),
    (
        r"error: 403|Permission denied|could not read (Username|Password)|Authentication failed|Access denied"
        r"|HTTP Basic|error: 401|Load key",
        Refused,
        "The server does not let these credentials in. Give the repository a token or key that may read it.",
    ),
    (
        r"couldn't find remote ref|no such remote ref|not our ref|unadvertised object|invalid refspec",
        NoSuchRef,
        "The repository has no branch, tag or commit {ref}; it may be gone, or the repository empty. Name one that "
        "is there, a commit by all of its digits.",
    ),
    (
        r"[Rr]edirect|unable to update url base|error: 30\d",
        Refused,
        "The server redirects to another address. Give the repository's own one; often it ends with .git.",
    ),
    (
        r"not found|does not appear to be a git repository|does not exist|error: 404|no such repository"
        r"|not valid: is this a git repository",
        Refused,
        "There is no repository at that address, or these credentials may not see it. Check both.",
    ),
    (
        r"certificate|SSL: no alternative|TLS",
        Refused,
        "The server's certificate is not trusted. Give the file of its authority by GIT_CA_FILE.",
    ),
    (
        r"cannot run ssh|'remote-https' is not|ssh: not found|ssh: No such file",
        Unavailable,
        "The machine of the worker has no ssh program, or a git without https. Install git and openssh-client there.",
    ),
    (
        r"Could ?n[o']t resolve|Name or service not known|Could not resolve",
        Unavailable,
        "The name of the repository's server is not known here. Check its spelling and the name service.",
    ),
    (
        r"[Ff]ailed to connect|Couldn't connect|Connection (refused|reset|closed|timed out)|Operation too slow"
        r"|timed out|No route to host|Network is unreachable|error: 5\d\d|error: 429|hung up|early EOF|RPC failed",
        Unavailable,
        "The repository's server did not answer, or broke off. Fetch again when it does.",
    ),
)


def meaning(errors: str, ref: str) -> GitError:
    # "remote:" lines are the server's own.
    said = "\n".join(line for line in errors.splitlines() if not line.startswith("remote:"))
    for pattern, kind, sentence in MEANINGS:
        if re.search(pattern, said):
            return kind(sentence.format(ref=ref))
    return Unavailable("git could not fetch the repository, for a reason that is not known. Fetch again.")
