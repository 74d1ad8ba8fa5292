"""Reads the command line, runs one command, turns what happened into an exit status."""

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import NoReturn

from cpctl import __version__, exits
from cpctl.commands import evaluations, jobs, models, pipelines, promotions, sign_in, status, training
from cpctl.context import Context
from cpctl.exits import Exit
from cpctl.failures import Failure, usage
from cpctl.terminal import Terminal

COMMANDS = (sign_in, status, models, training, evaluations, promotions, pipelines, jobs)

EPILOG = f"""\
The control plane is named by --url, CPCTL_URL or `cpctl login`; the token by CPCTL_TOKEN or `cpctl login`.

exit status:
{exits.table()}
"""


class Parser(argparse.ArgumentParser):
    """Wrong options are a Failure like any other, so that `--json` tells of them too."""

    def error(self, message: str) -> NoReturn:
        raise usage(f"{message}. See {self.prog} --help.")


class Terminated(BaseException):
    """SIGTERM, as a CI sends it to a job that it ends."""


def common() -> Parser:
    """Options that may stand before and after the command."""
    parser = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    options = parser.add_argument_group("common options")
    options.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="the result as JSON")
    options.add_argument("--project", help="default: CPCTL_PROJECT, or default")
    options.add_argument("--url", help="of the control plane; default: CPCTL_URL, or that of cpctl login")
    options.add_argument("--ca-file", metavar="FILE", help="certificates to trust in place of the public authorities")
    return parser


def parser() -> Parser:
    shared = common()
    top = Parser(
        prog="cpctl",
        description="Train, evaluate and promote Rasa models at a control plane.",
        epilog=EPILOG,
        parents=[shared],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"cpctl {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add(commands, shared)
    return top


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    terminal = Terminal(environ=environ)
    context = Context(argparse.Namespace(json="--json" in arguments), terminal, dict(environ))
    signal.signal(signal.SIGTERM, _terminate)
    try:
        context.options = parser().parse_args(arguments)
        return int(context.options.run(context))
    except Failure as failure:
        return _failed(context, failure)
    except KeyboardInterrupt:
        return _stopped(context, Exit.INTERRUPTED)
    except Terminated:
        return _stopped(context, Exit.TERMINATED)
    except BrokenPipeError:
        # Whoever read the result went away, as `head` does. Nothing more can be told there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.OK)
    finally:
        context.close()


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _failed(context: Context, failure: Failure) -> int:
    context.terminal.done()
    context.terminal.say(f"cpctl: {failure.sentence()}", "red")
    if context.as_json:
        context.tell(failure.problem, "")
    return int(failure.exit)


def _stopped(context: Context, exit: Exit) -> int:
    context.terminal.done()
    context.terminal.say(f"cpctl: stopped. {context.going_on}".rstrip(), "yellow")
    return int(exit)
