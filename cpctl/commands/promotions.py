"""`promote` and `rollback`: what an environment serves."""

from argparse import ArgumentParser
from typing import Any

from cpctl import failures, waiting
from cpctl.api import segment
from cpctl.commands import Commands, add_wait, command
from cpctl.commands.jobs import unsuccessful
from cpctl.context import Context
from cpctl.exits import Exit
from cpctl.terminal import clean

NOTHING = "-"
WAIT = 600.0
KINDS = ("intents", "entities", "slots", "responses", "actions", "forms", "flows")
SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def add(commands: Commands, shared: ArgumentParser) -> None:
    made = command(commands, "promote", promote, shared=shared, help="make an environment serve a model")
    made.add_argument("model", metavar="MODEL", help=f"{NOTHING} leaves the environment without a model")
    made.add_argument("environment", metavar="ENVIRONMENT")
    _add_shared(made)
    made.add_argument("--force", action="store_true", help="pass over a refusal for the Rasa version")
    made.add_argument("--dry-run", action="store_true", help="tell what would happen and change nothing")
    made = command(commands, "rollback", rollback, shared=shared, help="bring back the model before the present one")
    made.add_argument("environment", metavar="ENVIRONMENT")
    made.add_argument("--to", metavar="PROMOTION", help="the promotion whose model is wanted again")
    _add_shared(made)


def _add_shared(made: ArgumentParser) -> None:
    made.add_argument("--reason", default="", help="kept in the history")
    made.add_argument(
        "--expected", metavar="MODEL", help=f"the model you saw there, {NOTHING} for none; refused if it is another"
    )
    add_wait(made, WAIT, "every expected replica serves it")


def _asked(context: Context) -> dict[str, Any]:
    options = context.options
    body: dict[str, Any] = {"reason": options.reason} if options.reason else {}
    if options.expected is not None:
        body["expected"] = None if options.expected == NOTHING else options.expected
    return body


def promote(context: Context) -> Exit:
    options = context.options
    body = _asked(context) | {"model": None if options.model == NOTHING else options.model}
    if options.force:
        body["force"] = True
    path = f"environments/{segment(options.environment)}/promotions/"
    if options.dry_run:
        _, foreseen = context.api.post(path, body | {"dry_run": True}, repeatable=True)
        return _foretell(context, foreseen)
    # A repeated promotion finds the model there already.
    status, made = context.api.post(path, body, repeatable=True)
    return _follow(context, made, is_new=status == 201)


def rollback(context: Context) -> Exit:
    options = context.options
    body = _asked(context) | ({"to": options.to} if options.to else {})
    # Named by its promotion, or by what is there now, it is the same if it is repeated; else it would go back two.
    safe = options.to is not None
    status, made = context.api.post(f"environments/{segment(options.environment)}/rollback/", body, repeatable=safe)
    return _follow(context, made, is_new=status == 201)


def _foretell(context: Context, foreseen: Any) -> Exit:
    if foreseen["refused"]:
        raise failures.refusal(foreseen["refused"])
    context.tell(foreseen, "\n".join([f"would: {_sentence(foreseen['would'])}", *_differences(foreseen["diff"])]))
    return Exit.OK


def _follow(context: Context, made: Any, *, is_new: bool) -> Exit:
    there = f"{made['environment']} has {made['model'] or 'no model'} already"
    context.terminal.say(f"{_sentence(made) if is_new else there} (promotion {made['id']})")
    if made["note"]:
        context.terminal.say(f"note: {made['note']}", "yellow")
    if not context.options.wait:
        context.tell(made, f"{made['environment']}: {made['model'] or 'no model'}")
        return Exit.OK
    name = made["environment"]
    deadline = context.deadline(
        f"promotion {made['id']}", f"Look at it: cpctl status {name}. Take it back: cpctl rollback {name}."
    )
    found = waiting.promotion(context.api, made, deadline, is_new=is_new)
    if found["status"] != "succeeded":
        raise unsuccessful(f"promotion {found['id']}", found, found)
    took = f", {found['seconds']:.1f} s after the promotion" if is_new and found["seconds"] is not None else ""
    context.terminal.say(f"succeeded{took}.", "green")
    context.tell(found, f"{name}: {found['model'] or 'no model'}")
    return Exit.OK


def _sentence(promotion: Any) -> str:
    return (
        f"{promotion['environment']}: {promotion['previous_model'] or 'no model'} → {promotion['model'] or 'no model'}"
    )


def _differences(diff: Any) -> list[str]:
    """A line for each kind in which the models differ."""
    lines = []
    for kind in KINDS:
        names = [f"{sign}{name}" for change, sign in SIGNS.items() for name in diff[kind][change]]
        lines += [clean(f"  {kind}: {' '.join(names)}")] if names else []
    return lines + [f"  {part} differ" for part in ("pipeline", "policies") if diff[part]["a"] != diff[part]["b"]]
