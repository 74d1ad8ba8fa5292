"""`pipelines list`, `run`, `wait`, `cancel`: the automatic path from data to an environment."""

from argparse import ArgumentParser
from typing import Any

from cpctl import waiting
from cpctl.api import segment
from cpctl.commands import Commands, add_timeout, add_wait, command, group
from cpctl.commands.jobs import unsuccessful
from cpctl.context import Context
from cpctl.exits import Exit
from cpctl.terminal import table

MANY = 500
HEAD = ("PIPELINE", "ENABLED", "PROMOTES TO", "OWNER", "NEXT")


def add(commands: Commands, shared: ArgumentParser) -> None:
    verbs = group(commands, "pipelines", "list and run what brings models to an environment by itself")
    command(verbs, "list", show, shared=shared, help="list pipelines")
    made = command(verbs, "run", run, shared=shared, help="start a pipeline now")
    made.add_argument("name", metavar="NAME")
    add_wait(made, None, "it has ended, and what it promoted serves")
    made = command(verbs, "wait", wait, shared=shared, help="follow a run until it has ended")
    made.add_argument("run_id", metavar="RUN")
    add_timeout(made, None)
    made = command(verbs, "cancel", cancel, shared=shared, help="end a run")
    made.add_argument("run_id", metavar="RUN")


def show(context: Context) -> Exit:
    found = context.api.pages("pipelines/", {}, MANY)
    context.tell(found, lambda: table(HEAD, [_row(pipeline) for pipeline in found]) if found else "There are none.")
    return Exit.OK


def _row(pipeline: Any) -> tuple[str, ...]:
    due = (pipeline["due_at"] or "-")[:16].replace("T", " ")
    enabled = "yes" if pipeline["enabled"] else "no"
    return pipeline["name"], enabled, pipeline["promote"] or "-", pipeline["owner"], due


def run(context: Context) -> Exit:
    _, made = context.api.post(f"pipelines/{segment(context.options.name)}/runs/")
    if not context.options.wait:
        context.terminal.say(f"run {made['id']} is {made['status']}. {_hint(made['id'])}")
        context.tell(made, str(made["id"]))
        return Exit.OK
    context.terminal.say(f"run {made['id']} of {made['pipeline']} was started.")
    return _follow(context, made["id"])


def wait(context: Context) -> Exit:
    return _follow(context, context.options.run_id)


def cancel(context: Context) -> Exit:
    _, found = context.api.post(f"pipeline-runs/{segment(context.options.run_id)}/cancel/", repeatable=True)
    context.tell(found, f"run {found['id']} is {found['status']}")
    return Exit.OK


def _hint(number: str) -> str:
    return f"Follow it: cpctl pipelines wait {number}. End it: cpctl pipelines cancel {number}."


class _Story:
    """Tells what is new in a run: a line for each step that began or ended, and for each verdict."""

    def __init__(self, context: Context) -> None:
        self._terminal = context.terminal
        # By name and how many of that name came before: what is judged again gets steps in between.
        self._steps: dict[tuple[str, int], str] = {}
        self._gates = 0

    def tell(self, found: Any) -> None:
        names = [step["name"] for step in found["steps"]]
        for place, step in enumerate(found["steps"]):
            key = step["name"], names[:place].count(step["name"])
            if step["status"] != self._steps.get(key, "waiting"):
                self._steps[key] = step["status"]
                detail = f": {step['detail']}" if step["detail"] else ""
                self._terminal.say(f"{step['name']} {step['status']}{detail}")
        for gate in found["gates"][self._gates :]:
            word, color = ("passed", "green") if gate["passed"] else ("failed", "red")
            self._terminal.say(f"gate {gate['name']} of {gate['model']} {word}: {gate['detail']}", color)
        self._gates = len(found["gates"])

    def progress(self, found: Any) -> None:
        self.tell(found)
        ended = sum(step["status"] not in ("waiting", "running") for step in found["steps"])
        share = ended / len(found["steps"]) if found["steps"] else None
        self._terminal.progress(f"run {found['id']} {found['status']}", share)


def _follow(context: Context, number: str) -> Exit:
    """Until the run has ended; where it promoted a model, until that serves."""
    deadline, story = context.deadline(f"run {number}", _hint(number)), _Story(context)
    found = waiting.ended(context.api, f"pipeline-runs/{segment(number)}/", deadline, story.progress)
    story.tell(found)
    if found["status"] != "succeeded":
        raise unsuccessful(f"run {found['id']}", found, found)
    if found["promotion"]:
        made = context.api.get(f"promotions/{segment(found['promotion'])}/")
        promotion = waiting.promotion(context.api, made, deadline, is_new=True)
        if promotion["status"] != "succeeded":
            raise unsuccessful(f"promotion {promotion['id']}", promotion, found)
    context.terminal.say(f"run {found['id']} succeeded.", "green")
    context.tell(found, str(found["model"] or found["id"]))
    return Exit.OK
