"""A migrated SQLite database, made once for each state of the migrations: installations of tests begin as a copy of it,
for to migrate takes several times as long as all else at their start."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(tempfile.gettempdir()) / f"controlplane-tests-{os.getuid()}"


def _digest() -> str:
    """Of this repository's migrations, and of the packages, which have some too."""
    made_of = [ROOT / "requirements.lock", *sorted(ROOT.glob("*/migrations/*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in made_of)).hexdigest()[:16]


def copy_to(home: Path) -> None:
    """As the database of the installation whose `CONTROLPLANE_HOME` this is, if it has none."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    kept = FOLDER / f"{_digest()}.sqlite3"
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            _make(kept)
    if not (home / "db.sqlite3").exists():
        shutil.copy(kept, home / "db.sqlite3")


def _make(kept: Path) -> None:
    for old in FOLDER.glob("*.sqlite3"):
        old.unlink()
    with tempfile.TemporaryDirectory(dir=FOLDER) as home:
        environment = {**os.environ, "CONTROLPLANE_HOME": home, "DATABASE_URL": f"sqlite:///{home}/db.sqlite3"}
        command = [sys.executable, "manage.py", "migrate", "-v", "0"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        Path(home, "db.sqlite3").rename(kept)
