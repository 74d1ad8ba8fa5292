"""Small file systems, to be filled."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import services


def as_root(*command: str) -> bool:
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    try:
        return subprocess.run([*prefix, *command], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@contextmanager
def small_disk(disk: Path) -> Iterator[Path]:
    """A file system of 24 MB; where none can be made, the test is skipped."""
    disk.mkdir()
    if not as_root("mount", "-t", "tmpfs", "-o", f"size=24m,mode=0777,uid={os.geteuid()}", "tmpfs", str(disk)):
        reason = "a small file system needs root, or sudo without a password, to be mounted"
        pytest.fail(reason) if services.required() else pytest.skip(reason)
    yield disk
    as_root("umount", "-l", str(disk))
