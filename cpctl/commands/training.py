"""`train`: a folder, a bundle or a repository becomes a model."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from cpctl import packing, waiting
from cpctl.api import segment
from cpctl.commands import Commands, add_wait, command
from cpctl.commands.jobs import ended, hint, submitted, unsuccessful
from cpctl.context import Context
from cpctl.exits import Exit
from cpctl.failures import usage
from cpctl.terminal import size


def add(commands: Commands, shared: ArgumentParser) -> None:
    made = command(commands, "train", train, shared=shared, help="train a model on the training environment")
    source = made.add_mutually_exclusive_group()
    source.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER", help="of the Rasa project (default: this one)"
    )
    source.add_argument("--bundle", metavar="ID", help="training data that was sent before")
    source.add_argument("--repository", metavar="NAME", help="a git repository that the project has")
    made.add_argument("--ref", default="", help="a branch, a tag or a commit of the repository")
    made.add_argument("--name", default="", help="of the model; without it Rasa names it")
    made.add_argument("--tag", action="append", default=[], help="to put on the model; may be repeated")
    made.add_argument("--config", type=Path, metavar="FILE", help="a config.yml in place of the project's own")
    made.add_argument("--commit", default="", help="the version that the folder holds, for the model's page")
    add_wait(made, None, "the model is trained; its log is shown meanwhile")


def train(context: Context) -> Exit:
    options = context.options
    body: dict[str, Any] = {"kind": "training"}
    if options.config:
        body["config"] = _text(options.config)
    body["bundle"] = _bundle(context)
    if options.name:
        body["model_name"] = options.name
    if options.tag:
        body["tags"] = options.tag
    _, job = context.api.post("jobs/", body)
    if not options.wait:
        return submitted(context, job)
    context.terminal.say(f"job {job['id']}: training of bundle {job['bundle']} was submitted.")
    deadline = context.deadline(f"job {job['id']}", hint(job["id"]))
    return ended(context, waiting.job(context.api, job["id"], deadline))


def _bundle(context: Context) -> str:
    """The id of what is trained: named, brought from git, or sent."""
    options = context.options
    if options.ref and not options.repository:
        raise usage("--ref is of a --repository: name that too.")
    if options.repository:
        return _fetched(context, options.repository, options.ref)
    return str(options.bundle or send(context, options.folder or Path(), options.commit)["id"])


def _fetched(context: Context, repository: str, ref: str) -> str:
    """A training needs the bundle, so it is waited for also where nothing else is."""
    _, job = context.api.post(f"repositories/{segment(repository)}/fetch/", {"ref": ref} if ref else {})
    context.terminal.say(f"job {job['id']}: {repository} is fetched.")
    found = waiting.job(context.api, job["id"], context.deadline(f"job {job['id']}", hint(job["id"])))
    if found["status"] != "succeeded":
        raise unsuccessful(f"job {found['id']}", found, found)
    return str(found["bundle"])


def send(context: Context, folder: Path, commit: str) -> Any:
    """The bundle that the folder makes."""
    with packing.pack(folder) as packed:
        if packed.left_out:
            context.terminal.say(f"left out, as they may hold secrets: {', '.join(packed.left_out)}", "dim")
        query = {"project": context.project} | ({"commit": commit} if commit else {})
        status, bundle = context.api.upload(
            "/api/v1/bundles/", query, field="bundle", name="bundle.zip", file=packed.file
        )
    what = "sent" if status == 201 else "there already"
    context.terminal.say(f"bundle {bundle['id']}: {packed.files} files, {size(bundle['size'])}, {what}.")
    return bundle


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise usage(f"{path} is not UTF-8. Save it as UTF-8.") from error
    except OSError as error:
        raise usage(f"{path} cannot be read: {error.strerror}.") from error
