"""Git repositories that bundles come from: define, change, remove and fetch one. The credentials are sealed, and the
audit trail says only that they changed."""

import base64
from collections.abc import Iterator
from typing import Any, TypedDict, Unpack

from cryptography.hazmat.primitives import serialization
from django.db import transaction
from django.utils import timezone

from accounts.actions import audit
from accounts.actor import Actor
from accounts.models import Project
from accounts.problems import InvalidFields
from environments import addresses, errors, names, permissions
from environments.actions import jobs
from environments.models import Job, Repository
from environments.states import JobKind

FIELDS = ("url", "ref", "folder", "username", "known_hosts")
SECRETS = ("token", "ssh_key")
MAX_SECRET = 20_000
MAX_KNOWN_HOSTS = 100_000
DEFAULT_REF = "main"


class Fields(TypedDict, total=False):
    """What can be said of a repository. `folder` is where in it the Rasa project lies, "" its root."""

    url: str
    ref: str
    folder: str
    username: str
    token: str
    ssh_key: str
    known_hosts: str


@transaction.atomic
def define(*, project: Project, name: str, by: Actor, **fields: Unpack[Fields]) -> Repository:
    """A new repository."""
    _lock(project)
    by = by.anew()
    permissions.check_can_train(by, project)
    names.check_label(name, "repository", field="name")
    if Repository.objects.filter(project=project, name=name, removed_at=None).exists():
        raise errors.RepositoryExists(f"There is a repository {name}. Change it, or choose another name.")
    repository = Repository(project=project, name=name, by=by.user, by_name=by.name)
    _put(repository, {"ref": DEFAULT_REF, **fields})
    repository.save()
    _record(repository, "repository.create", by, after=told(repository))
    return repository


@transaction.atomic
def change(*, repository: Repository, by: Actor, **fields: Unpack[Fields]) -> Repository:
    """Change what is said. Another server does not get the credentials of the one before."""
    locked, by = _locked(repository, by)
    before = told(locked)
    wanted: dict[str, Any] = dict(fields)
    if "url" in fields:
        addresses.check_repository_url(fields["url"])
        if addresses.server_of(fields["url"]) != addresses.server_of(locked.url):
            wanted = {"token": "", "ssh_key": "", **wanted}
    replaced = [name for name in SECRETS if name in wanted and wanted[name] != getattr(locked, name)]
    _put(locked, wanted)
    after = told(locked)
    if before != after or replaced:
        locked.save()
        _record(locked, "repository.update", by, before=before, after=after | {"replaced": replaced})
    return locked


@transaction.atomic
def remove(*, repository: Repository, by: Actor) -> None:
    """Take it away with its credentials. Bundles that came from it go on naming it."""
    locked, by = _locked(repository, by)
    before = told(locked)
    locked.removed_at = timezone.now()
    locked.token = locked.ssh_key = ""
    locked.save()
    _record(locked, "repository.delete", by, before=before)


@transaction.atomic
def fetch(*, repository: Repository, by: Actor, ref: str = "") -> Job:
    """A job that makes a bundle of what `ref` ("": the repository's own) is at when it runs."""
    permissions.check_can_train(by, repository.project)
    if repository.removed_at:
        raise _gone(repository)
    if ref:
        names.check_ref(ref)
    options = {"repository": repository.pk, "ref": ref or repository.ref}
    return jobs.enqueue(project=repository.project, kind=JobKind.FETCH, by=by, options=options)


def told(repository: Repository) -> dict[str, Any]:
    """What may be shown of it."""
    shown = {name: getattr(repository, name) for name in FIELDS}
    return shown | {"has_token": bool(repository.sealed_token), "has_ssh_key": bool(repository.sealed_ssh_key)}


def _lock(project: Project) -> None:
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def _locked(repository: Repository, by: Actor) -> tuple[Repository, Actor]:
    _lock(repository.project)
    by = by.anew()
    permissions.check_can_train(by, repository.project)
    locked = Repository.objects.select_for_update(of=("self",)).select_related("project").get(pk=repository.pk)
    if locked.removed_at:
        raise _gone(locked)
    return locked, by


def _gone(repository: Repository) -> errors.RepositoryRefused:
    return errors.RepositoryRefused(f"The repository {repository.name} was removed. Define it again.")


def _record(repository: Repository, action: str, by: Actor, before: Any = None, after: Any = None) -> None:
    audit.record(
        by=by,
        action=action,
        object=f"repository:{repository.name}",
        project=repository.project,
        before=before,
        after=after,
    )


# Judged


def _put(repository: Repository, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        setattr(repository, name, value)
    addresses.check_repository_url(repository.url)
    names.check_ref(repository.ref)
    wrong = dict(_wrong(repository))
    if wrong:
        field, cure = next(iter(wrong.items()))
        raise InvalidFields(f"{field}: {cure}", errors={field: [cure] for field, cure in wrong.items()})


def _wrong(repository: Repository) -> Iterator[tuple[str, str]]:
    """Fields that cannot be used, and the cure; no secret is repeated."""
    is_ssh = repository.url.startswith("ssh:")
    if not _is_folder(repository.folder):
        yield "folder", "A path in the repository, as in bots/bank: no leading '/', no '..', '' for its root."
    if len(repository.username) > 200 or not repository.username.isprintable():
        yield "username", "Up to 200 printable characters."
    token, key = repository.token, repository.ssh_key
    if token and (is_ssh or len(token) > MAX_SECRET or not token.isprintable()):
        yield "token", "A token of one line, for an https address; an ssh address takes ssh_key."
    if key and not is_ssh:
        yield "ssh_key", "A key is for an ssh address; an https address takes token."
    elif key and (trouble := _trouble_with_key(key)):
        yield "ssh_key", trouble
    if is_ssh and not _are_known_hosts(repository.known_hosts):
        yield (
            "known_hosts",
            "Give the keys that the server proves itself with, a line each as in ~/.ssh/known_hosts. "
            "`ssh-keyscan HOST` prints them; compare them with what the server's owner publishes.",
        )


def _is_folder(folder: str) -> bool:
    parts = folder.split("/") if folder else []
    return len(folder) <= 300 and folder.isprintable() and "\\" not in folder and not {"", ".", ".."} & set(parts)


def _trouble_with_key(key: str) -> str:
    """Why the private key cannot be used; "" if it can."""
    loaders = (serialization.load_ssh_private_key, serialization.load_pem_private_key)
    for load in loaders if len(key) <= MAX_SECRET else ():
        try:
            load(f"{key.strip()}\n".encode(), password=None)
        except TypeError:
            return "The key has a passphrase, which nobody is there to type. Give one without."
        except Exception:  # noqa: S112  # whatever the library says: it is no key of this form
            continue
        return ""
    return (
        "This is no private key. Give the whole file, from -----BEGIN to END-----, as `ssh-keygen -t ed25519` made it."
    )


def _are_known_hosts(text: str) -> bool:
    """Whether each line could be one of known_hosts, and there is one."""
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return bool(lines) and len(text) <= MAX_KNOWN_HOSTS and all(_is_known_host(line) for line in lines)


def _is_known_host(words: list[str]) -> bool:
    words = words[1:] if words[0].startswith("@") else words
    try:
        return len(words) >= 3 and bool(base64.b64decode(words[2], validate=True))
    except ValueError:
        return False
