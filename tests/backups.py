"""Files of `manage.py backup`, as tests read and change them."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from controlplane.backups.container import MANIFEST, Reader, Writer


def manifest_of(file: Path) -> dict[str, Any]:
    """What a backup tells of itself; all of it is read and compared."""
    with file.open("rb") as stream:
        reader = Reader(stream)
        for member in reader.members():
            member.whole()
        return reader.manifest


def members_of(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as tar:
        return {info.name: found.read() for info in tar if (found := tar.extractfile(info))}


def rewrite(source: Path, target: Path, change: Callable[[dict[str, bytes], dict[str, Any]], None]) -> None:
    """Write a sound backup of other members: `change` is given those of `source`, and its manifest."""
    members = members_of(source)
    manifest = json.loads(members.pop(MANIFEST))
    change(members, manifest)
    del manifest["members"]
    content = io.BytesIO()
    writer = Writer(content)
    for name, data in members.items():
        writer.add(name, data)
    writer.finish(manifest)
    target.write_bytes(content.getvalue())
