"""`evaluate` and `compare`: how well a model understands, and what changes from one to another."""

from argparse import ArgumentParser
from typing import Any

from cpctl import waiting
from cpctl.api import segment
from cpctl.commands import Commands, add_wait, command
from cpctl.commands.jobs import hint, unsuccessful
from cpctl.context import Context
from cpctl.exits import Exit
from cpctl.terminal import clean, table

METHODS = ("data", "split", "cross_validation")
# What is tested, and how it is called.
REPORTS = {"intents": "intents", "entities": "entities", "responses": "responses", "stories": "actions of stories"}


def add(commands: Commands, shared: ArgumentParser) -> None:
    made = command(commands, "evaluate", evaluate, shared=shared, help="test a model on a bundle's examples")
    made.add_argument("model", metavar="MODEL")
    made.add_argument("--bundle", metavar="ID", help="whose examples (default: the newest)")
    made.add_argument("--method", choices=METHODS, help="default: its test data, without any a part that is held out")
    add_wait(made, None, "the result is there")
    made = command(commands, "compare", compare, shared=shared, help="compare two models on the same examples")
    made.add_argument("a", metavar="A", help="a model, or the number of an evaluation")
    made.add_argument("b", metavar="B", help="the same, of what would take its place")


def evaluate(context: Context) -> Exit:
    options = context.options
    asked = {name: value for name in ("bundle", "method") if (value := getattr(options, name))}
    _, made = context.api.post("evaluations/", {"model": options.model, **asked})
    if not options.wait:
        context.terminal.say(f"evaluation {made['id']} is {made['status']}. {hint(made['job'])}")
        context.tell(made, str(made["id"]))
        return Exit.OK
    context.terminal.say(f"evaluation {made['id']}: a test of {made['model']} on bundle {made['bundle']}.")
    deadline = context.deadline(f"job {made['job']}", hint(made["job"]))
    waiting.job(context.api, made["job"], deadline)
    found = context.api.get(f"evaluations/{segment(made['id'])}/")
    if found["status"] != "succeeded":
        raise unsuccessful(f"evaluation {found['id']}", found, found)
    for note in found["notes"]:
        context.terminal.say(f"note: {note}", "yellow")
    context.tell(found, lambda: _result(found))
    return Exit.OK


def _result(found: Any) -> str:
    rows = [
        (word, f"{report['f1']:.3f}", f"{report['precision']:.3f}", f"{report['recall']:.3f}")
        for name, word in REPORTS.items()
        if (report := found[name])
    ]
    lines = [f"evaluation {found['id']}: {found['model']} on {found['tested']} examples of bundle {found['bundle']}"]
    return "\n".join([*lines, table(("", "F1", "PRECISION", "RECALL"), rows)]) if rows else lines[0]


def compare(context: Context) -> Exit:
    found = context.api.get("evaluations/compare/", {"a": context.options.a, "b": context.options.b})
    context.tell(found, lambda: _comparison(found))
    return Exit.OK


def _comparison(found: Any) -> str:
    a, b, f1 = found["models"]["a"], found["models"]["b"], found["f1"]
    lines = [
        f"{a} → {b}, on the same {found['tested']} examples",
        f"F1 {f1['a']:.3f} → {f1['b']:.3f} ({f1['b'] - f1['a']:+.3f}), p = {f1['p_value']:.3f}",
    ]
    rows = [
        (
            change["intent"],
            f"{change['a']:.3f}",
            f"{change['b']:.3f}",
            f"{change['delta']:+.3f}",
            str(change["support"]),
        )
        for change in found["per_intent"]
        if change["delta"]
    ]
    if rows:
        lines += ["", table(("INTENT", "A", "B", "CHANGE", "EXAMPLES"), rows)]
    for name, word in (("broken", "right before, wrong now"), ("fixed", "wrong before, right now")):
        lines += ["", f"{word}: {len(found[name])}", *(f"  {clean(text)}" for text in found[name])]
    return "\n".join(lines)
