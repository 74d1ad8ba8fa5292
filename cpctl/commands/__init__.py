"""The commands, a module for each noun: `add` declares them, and each is a function that gets its Context."""

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from cpctl.context import Context
from cpctl.exits import Exit

Commands = Any  # argparse has no public name for what add_subparsers gives
Run = Callable[[Context], Exit]


def command(commands: Commands, name: str, run: Run, *, shared: ArgumentParser, help: str) -> ArgumentParser:
    """Declare a command that `run` does."""
    made: ArgumentParser = commands.add_parser(
        name, help=help, description=f"{help[0].upper()}{help[1:]}.", parents=[shared], allow_abbrev=False
    )
    made.set_defaults(run=run)
    return made


def group(commands: Commands, name: str, help: str) -> Commands:
    """A noun with verbs below it."""
    made = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.", allow_abbrev=False)
    return made.add_subparsers(title="commands", metavar="COMMAND", required=True)


def add_wait(parser: ArgumentParser, seconds: float | None, until: str) -> None:
    """`--wait` and `--timeout`; `seconds` is the timeout where none is given."""
    parser.add_argument("--wait", action="store_true", help=f"until {until}")
    add_timeout(parser, seconds)


def add_timeout(parser: ArgumentParser, seconds: float | None) -> None:
    told = "no end" if seconds is None else f"{seconds:.0f}"
    parser.add_argument(
        "--timeout",
        type=positive,
        default=seconds,
        metavar="SECONDS",
        help=f"how long to wait at most; what is waited for goes on (default: {told})",
    )


def positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError
    return number


def count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number
