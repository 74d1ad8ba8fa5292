"""`python -m controlplane.run web`: one program of `up` in the place of this process, as a container runs it.

Any other first word is a command of manage.py.
"""

import os
import sys
from collections.abc import Mapping, Sequence

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

from controlplane import programs
from controlplane.supervisor import Program

EVERYWHERE = "0.0.0.0"  # noqa: S104  # a container has a network of its own
PORT = 5002


def known() -> Mapping[str, Program]:
    return {program.name: program for program in programs.all_of(EVERYWHERE, PORT, f"http://localhost:{PORT}")}


def chosen(arguments: Sequence[str]) -> tuple[list[str], Mapping[str, str]]:
    """What to run, and its variables."""
    name = arguments[0] if len(arguments) == 1 else ""
    program = known().get(name)
    if program is None:
        return [sys.executable, "manage.py", *arguments], {}
    return list(program.command), program.environment


def main(arguments: Sequence[str]) -> None:
    command, variables = chosen(arguments)
    os.execvpe(command[0], command, {**os.environ, **variables})  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
