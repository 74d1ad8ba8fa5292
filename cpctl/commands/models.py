"""`models push`, `list`, `pull`: archives to the control plane and from it."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from cpctl import downloads
from cpctl.api import open_file, segment
from cpctl.commands import Commands, command, count, group
from cpctl.context import Context
from cpctl.exits import Exit
from cpctl.failures import usage
from cpctl.terminal import size, table

SUFFIX = ".tar.gz"
HEAD = ("MODEL", "TRAINED", "RASA", "SIZE", "TAGS", "ENVIRONMENTS")


def add(commands: Commands, shared: ArgumentParser) -> None:
    verbs = group(commands, "models", "send, list and fetch trained models")
    made = command(verbs, "push", push, shared=shared, help="send trained models, named like their files")
    made.add_argument("files", nargs="+", type=Path, metavar="FILE", help="<name>.tar.gz, as rasa train wrote it")
    made.add_argument("--tag", action="append", default=[], help="to put on the model; may be repeated")
    made = command(verbs, "list", show, shared=shared, help="list models, registered last first")
    made.add_argument("--tag", help="the model that carries this tag")
    made.add_argument("--environment", help="the model that this environment is to serve")
    made.add_argument("--limit", type=count, default=50, metavar="N", help="how many at most (default: 50)")
    made = command(verbs, "pull", pull, shared=shared, help="fetch a model, verified")
    made.add_argument("name", nargs="?", metavar="NAME")
    made.add_argument("--tag", help="the model that carries this tag, such as production")
    made.add_argument("--output", type=Path, default=Path(), metavar="PATH", help="a file, or a folder that exists")


def push(context: Context) -> Exit:
    files = context.options.files
    if context.options.tag and len(files) > 1:
        raise usage("A tag is on one model: push one file with --tag.")
    for path in files:
        if not path.name.endswith(SUFFIX):
            raise usage(f"{path} is not named <name>{SUFFIX}, so the model would have no name.")
        open_file(path).close()
    sent = [_push(context, path) for path in files]
    context.tell(sent, "\n".join(item["model"] for item in sent))
    return Exit.OK


def _push(context: Context, path: Path) -> Any:
    url = f"/api/projects/{segment(context.project)}/models"
    with open_file(path) as file:
        status, item = context.api.upload(url, {"tags": context.options.tag}, field="model", name=path.name, file=file)
    context.terminal.say(f"{item['model']} was {'sent' if status == 201 else 'there already'}.")
    return item


def show(context: Context) -> Exit:
    options = context.options
    query = {name: value for name in ("tag", "environment") if (value := getattr(options, name))}
    found = context.api.pages("models/", query, options.limit)
    context.tell(found, lambda: table(HEAD, [_row(model) for model in found]) if found else "There are no models.")
    return Exit.OK


def _row(model: Any) -> tuple[str, ...]:
    return (
        model["name"],
        model["trained_at"][:16].replace("T", " "),
        model["version"],
        size(model["size"]),
        " ".join(model["tags"]) or "-",
        " ".join(model["environments"]) or "-",
    )


def pull(context: Context) -> Exit:
    name, tag = context.options.name, context.options.tag
    if (name is None) == (tag is None):
        raise usage("Name a model, or a tag with --tag, and not both.")
    wanted = segment(name) if name else f"tags/{segment(tag)}"
    url = f"/api/projects/{segment(context.project)}/models/{wanted}"
    fetched = downloads.fetch(context.api, url, context.options.output, label=name or tag)
    context.tell({"path": str(fetched.path), "hash": fetched.sha256, "size": fetched.size}, str(fetched.path))
    return Exit.OK
