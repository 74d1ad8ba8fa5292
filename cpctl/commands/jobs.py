"""`jobs list`, `log`, `cancel`, and how the end of a job is told."""

import sys
from argparse import ArgumentParser
from typing import Any

from cpctl import waiting
from cpctl.api import segment
from cpctl.commands import Commands, add_timeout, command, count, group
from cpctl.context import Context
from cpctl.exits import Exit
from cpctl.failures import Failure
from cpctl.terminal import clean, table

STATUSES = ("queued", "running", "succeeded", "failed", "errored", "cancelled")
KINDS = ("training", "evaluation", "fetch")
HEAD = ("JOB", "KIND", "STATUS", "SUBMITTED", "BY", "MODEL", "STEP")


def add(commands: Commands, shared: ArgumentParser) -> None:
    verbs = group(commands, "jobs", "list, follow and cancel background work")
    made = command(verbs, "list", show, shared=shared, help="list jobs, newest first")
    made.add_argument("--status", choices=STATUSES)
    made.add_argument("--kind", choices=KINDS)
    made.add_argument("--limit", type=count, default=20, metavar="N", help="how many at most (default: 20)")
    made = command(verbs, "log", log, shared=shared, help="print what a job said")
    made.add_argument("job", metavar="ID")
    made.add_argument("--follow", action="store_true", help="until it has ended; the exit status is then the job's")
    made = command(verbs, "wait", wait, shared=shared, help="follow a job until it has ended")
    made.add_argument("job", metavar="ID")
    add_timeout(made, None)
    made = command(verbs, "cancel", cancel, shared=shared, help="cancel a queued or running job")
    made.add_argument("job", metavar="ID")


def hint(job: str) -> str:
    """How to go on with a job that goes on by itself."""
    return f"Follow it: cpctl jobs wait {job}. Cancel it: cpctl jobs cancel {job}."


def submitted(context: Context, job: Any) -> Exit:
    """A job that nobody waits for."""
    context.terminal.say(f"job {job['id']} is {job['status']}. {hint(job['id'])}")
    context.tell(job, str(job["id"]))
    return Exit.OK


def ended(context: Context, job: Any) -> Exit:
    """Tell how a job ended; the result is the name of its model, where it made one."""
    if job["status"] != "succeeded":
        raise unsuccessful(f"job {job['id']}", job, job)
    context.terminal.say(f"job {job['id']} succeeded.", "green")
    context.tell(job, str(job["model"] or job["id"]))
    return Exit.OK


def unsuccessful(what: str, told: Any, document: Any) -> Failure:
    """What ended otherwise: `told` has the reason, `document` is what `--json` prints."""
    detail = told.get("error_detail") or "It gave no reason."
    return Failure(Exit.UNSUCCESSFUL, detail, title=f"{what} {told['status']}", problem=document)


def show(context: Context) -> Exit:
    options = context.options
    query = {name: value for name in ("status", "kind") if (value := getattr(options, name))}
    found = context.api.pages("jobs/", query, options.limit)
    context.tell(found, lambda: table(HEAD, [_row(job) for job in found]) if found else "There are no jobs.")
    return Exit.OK


def _row(job: Any) -> tuple[str, ...]:
    created = job["created_at"][:19].replace("T", " ")
    model = job["model"] or job["model_name"] or "-"
    return (
        str(job["id"]),
        job["kind"],
        job["status"],
        created,
        job["by"],
        model,
        job["step"] or job["error_detail"][:60],
    )


def log(context: Context) -> Exit:
    """The log is what is asked for, so it goes to standard output; with `--json` as one document."""
    number, api = context.options.job, context.api
    pieces: list[str] = []
    take = pieces.append if context.as_json else _print
    if context.options.follow:
        context.going_on = f"job {number} goes on. {hint(number)}"
        deadline = waiting.Deadline(api, None, f"job {number}", hint(number))
        job = waiting.job(api, number, deadline, show=take)
    else:
        job = api.get(f"jobs/{segment(number)}/")
        waiting.Log(api, number, take).end()
    if context.as_json:
        context.tell(job | {"log": "".join(pieces)}, "")
    if context.options.follow and job["status"] != "succeeded":
        context.terminal.say(f"job {number} {job['status']}: {job['error_detail']}", "red")
        return Exit.UNSUCCESSFUL
    return Exit.OK


def _print(text: str) -> None:
    sys.stdout.write(clean(text))
    sys.stdout.flush()


def wait(context: Context) -> Exit:
    number = context.options.job
    deadline = context.deadline(f"job {number}", hint(number))
    return ended(context, waiting.job(context.api, number, deadline))


def cancel(context: Context) -> Exit:
    _, job = context.api.post(f"jobs/{segment(context.options.job)}/cancel/", repeatable=True)
    context.tell(job, f"job {job['id']} is {job['status']}" + ("" if job["status"] == "cancelled" else ", and stops"))
    return Exit.OK
