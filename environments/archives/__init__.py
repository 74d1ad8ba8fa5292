"""What is in a model's archive: one strict pass over a stream, with flat memory and nothing unpacked to disk.

Strict because readers of such files differ: an archive that two of them could understand in two ways is refused.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from environments import errors
from environments.archives import metadata, tar, zips
from environments.archives.limits import Limits
from environments.archives.streams import Packed, Readable, Resumed, Unpacked, Writable

__all__ = ["Inspected", "Limits", "Readable", "Writable", "default_name", "inspect"]

# What models of Rasa 1.x and 2.x have at their root, and those of 3.x have not.
LEGACY_ROOTS = frozenset({"fingerprint.json", "nlu", "core"})


@dataclass(frozen=True)
class Inspected:
    """An archive that can be served. `hash` is the SHA-256 of the `size` bytes that were written through.

    `trained_at` is in UTC; `counts` has the keys of `metadata.KINDS`.
    """

    hash: str
    size: int
    metadata: dict[str, Any]
    version: str
    trained_at: datetime
    language: str
    model_id: str
    assistant_id: str
    counts: dict[str, int]


def default_name(inspected: Inspected) -> str:
    """The name of a model that was sent without one: Rasa's own form, with the hash in place of its random words."""
    return f"{inspected.trained_at:%Y%m%d-%H%M%S}-{inspected.hash[:8]}"


def inspect(stream: Readable, into: Writable, limits: Limits, spool: Path | None = None) -> Inspected:
    """Read an archive to its end, writing every byte through to `into`. Raises the refusals of `errors`.

    A zip of an unpacked model is repacked first: `into` gets the tar.gz. It is kept meanwhile in files without a name
    in the folder `spool` (default: the system's), so that a crash leaves nothing.
    """
    head = _head(stream)
    resumed = Resumed(head, stream)
    if not head.startswith(zips.MAGIC):
        return _inspect(resumed, into, limits)
    with zips.repacked(resumed, limits, spool) as archive:
        return _inspect(archive, into, limits)


def _head(stream: Readable) -> bytes:
    head = b""
    while len(head) < len(zips.MAGIC) and (more := stream.read(len(zips.MAGIC) - len(head))):
        head += more
    return head


def _inspect(stream: Readable, into: Writable, limits: Limits) -> Inspected:
    packed = Packed(stream, into, limits.packed)
    unpacked = Unpacked(packed, limits.unpacked)
    document, legacy = _read_members(unpacked, limits)
    unpacked.finish()
    described = _describe(document, legacy)
    return Inspected(
        hash=packed.sha256,
        size=packed.size,
        metadata=described.document,
        version=described.version,
        trained_at=described.trained_at,
        language=described.language,
        model_id=described.model_id,
        assistant_id=described.assistant_id,
        counts=described.counts,
    )


def _read_members(unpacked: Unpacked, limits: Limits) -> tuple[bytes | None, bool]:
    """The bytes of `metadata.json`, if there is one, and whether something looks like Rasa 1.x or 2.x."""
    document, legacy = None, False
    for member in tar.members(unpacked, limits):
        legacy = legacy or member.name.partition("/")[0] in LEGACY_ROOTS
        if member.name == metadata.NAME and not member.is_folder:
            if member.size > limits.metadata:
                raise errors.MetadataTooLarge(
                    f"metadata.json has {member.size} bytes, more than {limits.metadata}. "
                    "Train with a smaller domain, or raise MAX_METADATA_BYTES."
                )
            document = unpacked.read(member.size)
    return document, legacy


def _describe(document: bytes | None, legacy: bool) -> metadata.Described:
    too_old = errors.ModelTooOld("This is a model of Rasa 1.x or 2.x, which Rasa 3.x cannot load. Train it again.")
    if document is None:
        if legacy:
            raise too_old
        raise errors.MetadataMissing(
            "There is no metadata.json at the root of the archive. Upload what `rasa train` wrote, or pack the "
            "content of the model's folder, not the folder itself."
        )
    try:
        return metadata.read(document)
    except errors.MetadataUnreadable:
        if legacy:
            raise too_old from None
        raise
