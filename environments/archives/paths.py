"""The names of members: what they mean, and which of them cannot be trusted."""

import hashlib

from environments import errors

LONGEST = 4096


def shown(name: str) -> str:
    """A name for a sentence: short, and nothing in it that a terminal would act on."""
    return ascii(name[:80])


def normalised(name: str) -> str:
    """The path relative to the root, without `.` and doubled slashes; the root itself is empty.

    Raises `UnsafePath` where the name leads out of the root, or may mean different things to different readers.
    """
    parts = name.split("/")
    if name.startswith("/"):
        raise errors.UnsafePath(f"The member {shown(name)} has an absolute path. Pack the model with relative ones.")
    if ".." in parts:
        raise errors.UnsafePath(f"The member {shown(name)} leads out of the archive. Pack the model without '..'.")
    if "\\" in name or not name.isprintable():
        raise errors.UnsafePath(
            f"The member {shown(name)} has a backslash or unprintable characters in its name. Rename the file."
        )
    if len(name) > LONGEST:
        raise errors.UnsafePath(f"The member {shown(name)}… has a name of more than {LONGEST} characters.")
    return "/".join(part for part in parts if part not in ("", "."))


class Seen:
    """The members so far: each name once, and not too many of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        # Digests, as a hundred thousand names of thousands of characters would fill the memory.
        self._digests: set[bytes] = set()

    def count(self) -> None:
        self._count += 1
        if self._count > self._most:
            raise errors.TooManyMembers(
                f"The archive has more than {self._most} members. Upload a smaller model, or raise MAX_MODEL_ENTRIES."
            )

    def add(self, name: str) -> None:
        self.count()
        digest = hashlib.blake2b(name.encode(), digest_size=16).digest()
        if digest in self._digests:
            raise errors.DuplicateMember(
                f"The archive has two members {shown(name or './')}. Pack the model again, each file once."
            )
        self._digests.add(digest)
