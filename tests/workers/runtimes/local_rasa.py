"""A program in the place of `rasa`, quick and as bad as wanted."""

import sys
from pathlib import Path

from tests.fake_rasa import small_archive

# It is run as the real one is: `rasa train --config … --out models`. `{behaviour}` is Python that runs before its end.
PROGRAM = """#!{python} -IS
import os, pathlib, signal, subprocess, sys, time
def say(text): print(text, flush=True)
def fail(text):
    say("\\x1b[91m" + text + "\\x1b[0m")
    sys.exit(1)
def save(name="20260301-100000-brisk-otter.tar.gz"):
    out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
    out.mkdir(exist_ok=True)
    (out / name).write_bytes(bytes.fromhex({archive!r}))
command = sys.argv[1]
say("2026-11-27 02:14:44 INFO     rasa.engine.training.hooks  - Starting to train component 'KeywordIntentClassifier'.")
{behaviour}
"""
ARCHIVE = small_archive()

# A child in a session of its own, whose own child outlives it and ignores what can be ignored.
GRANDCHILD = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("pid", os.getpid(), flush=True)
time.sleep(600)
"""
CHILD = f"""
import os, subprocess, sys
print("pid", os.getpid(), flush=True)
subprocess.Popen([sys.executable, "-IS", "-c", {GRANDCHILD!r}], start_new_session=True)
"""
STUBBORN = f"""
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-IS", "-c", {CHILD!r}], start_new_session=True)
say(f"pid {{os.getpid()}}")
"""


def program(folder: Path, behaviour: str = "save()", python: str = sys.executable) -> Path:
    """An executable file that everybody may read and run."""
    path = folder / "rasa"
    path.write_text(PROGRAM.format(python=python, archive=ARCHIVE.hex(), behaviour=behaviour))
    path.chmod(0o755)
    return path
