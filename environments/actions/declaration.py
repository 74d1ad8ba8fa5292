"""The sync of environments.yml: what the file declares becomes rows, all of it or nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from accounts.actions import audit
from accounts.actor import Actor
from accounts.models import Project
from accounts.models.project import DEFAULT
from environments import addresses, spec
from environments.actions import environment_rows, roles
from environments.models import Environment
from environments.spec import Declaration, DeclaredEnvironment
from environments.states import DeclaredIn
from environments.yaml_file import FileError

Key = tuple[str, str]


@dataclass
class Synced:
    """What a sync did, by `project/name`."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)

    def sentences(self) -> Iterator[str]:
        for verb, names in vars(self).items():
            for name in names:
                yield f"{verb} {name}"


@transaction.atomic
def sync(*, declaration: Declaration, by: Actor) -> Synced:
    """Create, update, adopt, restore and retire until the rows are what the file declares.

    An environment that left the file is retired, not deleted. One made through the API whose name the file declares
    is the file's from then on. Raises `TagConflict` or `EnvironmentsFileInvalid` where the file does not fit.
    """
    _project(DEFAULT, by)
    # Who administers the default project administers the new ones: nobody is to change it in between.
    roles.lock_access()
    projects = {name: _project(name, by) for name in declaration.projects}
    for project in Project.objects.order_by("pk"):
        environment_rows.lock_project(project)
    rows = _rows()
    wanted = {(item.project, item.name): item for item in declaration.environments}
    for name, project in projects.items():
        new = [item.name for key, item in wanted.items() if item.project == name and key not in rows]
        environment_rows.check_tag_is_free(project, new)
    _check_fits(wanted, rows)
    synced = Synced()
    # Those that own their tag first: the others follow one of them.
    for key, item in sorted(wanted.items(), key=lambda entry: entry[1].follows is not None):
        follows = rows[(item.project, item.follows)] if item.follows else None
        rows[key] = _bring(rows.get(key), projects[item.project], item, follows, synced, by)
    for key, row in rows.items():
        if key not in wanted and _is_of_the_file(row):
            environment_rows.withdraw(row, by=by)
            synced.retired.append("/".join(key))
    _put_in_order(wanted, rows)
    return synced


def was_applied() -> bool:
    """Whether there is a declaration in force to fall back on."""
    return Environment.objects.exists()


def _project(name: str, by: Actor) -> Project:
    project, created = Project.objects.get_or_create(name=name)
    if created:
        audit.record(by=by, action="project.create", object=f"project:{name}", project=project)
        roles.ensure_built_in(project=project, by=by)
    return project


def _rows() -> dict[Key, Environment]:
    """Every environment there is, retired ones too, locked."""
    rows = Environment.objects.select_for_update(of=("self",)).select_related("project")
    return {(row.project.name, row.name): row for row in rows.order_by("pk")}


def _is_of_the_file(row: Environment) -> bool:
    return row.declared_in == DeclaredIn.FILE and row.retired_at is None


# Does the file fit what was made through the API?


def _check_fits(wanted: dict[Key, DeclaredEnvironment], rows: dict[Key, Environment]) -> None:
    beside = [row for key, row in rows.items() if key not in wanted and row.retired_at is None]
    from_api = [row for row in beside if row.declared_in == DeclaredIn.API]
    errors = [*_url_errors(wanted, from_api), *_follow_errors(wanted, from_api)]
    if errors:
        raise spec.refused(errors)


def _url_errors(wanted: dict[Key, DeclaredEnvironment], from_api: list[Environment]) -> Iterator[FileError]:
    taken = {addresses.same_url(row.url): row for row in from_api}
    for item in wanted.values():
        other = taken.get(addresses.same_url(item.url))
        if other:
            yield FileError(
                item.line,
                f"{spec.key_of(item)}.url",
                f"is also the address of {other.name}, made through the API. Retire that one, or give each its own.",
            )


def _follow_errors(wanted: dict[Key, DeclaredEnvironment], from_api: list[Environment]) -> Iterator[FileError]:
    for row in from_api:
        if row.follows is None:
            continue
        item = wanted.get((row.project.name, row.follows.name))
        told = f"{row.name}, made through the API, follows {row.follows.name}"
        cure = f"Let {row.name} follow another one or none first."
        if item is None and _is_of_the_file(row.follows):
            yield FileError(1, "", f"{told}, which has left the file. {cure}")
        elif item is not None and item.follows:
            key = f"{spec.key_of(item)}.follows"
            yield FileError(item.line, key, f"{told}, and there are no chains. {cure}")


# One environment


def _bring(
    row: Environment | None,
    project: Project,
    item: DeclaredEnvironment,
    follows: Environment | None,
    synced: Synced,
    by: Actor,
) -> Environment:
    """The row as it is declared, whatever there was of it."""
    name = f"{item.project}/{item.name}"
    if row is None:
        new = Environment(project=project, name=item.name)
        synced.created.append(name)
        return environment_rows.create(new, _fields(new, item, follows), by=by)
    fields = _fields(row, item, follows)
    if row.retired_at:
        synced.restored.append(name)
        return environment_rows.restore(row, fields, by=by)
    adopted = row.declared_in == DeclaredIn.API
    action = "environment.adopt" if adopted else "environment.update"
    if environment_rows.write(row, fields, by=by, action=action, before=environment_rows.told(row)):
        (synced.adopted if adopted else synced.updated).append(name)
    return row


def _fields(row: Environment, item: DeclaredEnvironment, follows: Environment | None) -> dict[str, Any]:
    return {
        "url": item.url,
        "rasa_token": item.token,
        "jwt_secret": item.jwt_secret,
        "kind": item.kind,
        "protected": item.protected,
        "follows": follows,
        "color": item.color or environment_rows.free_color(row),
        "replicas": item.replicas,
        "workers": item.workers,
        "pull_interval": item.pull_interval,
        "pulls_once": item.pulls_once,
        "rasa_x_writes": item.rasa_x_writes,
        "declared_in": DeclaredIn.FILE,
    }


def _put_in_order(wanted: dict[Key, DeclaredEnvironment], rows: dict[Key, Environment]) -> None:
    """As in the file, then those of the API and the retired ones as they were."""
    places = {key: place for place, key in enumerate(wanted)}
    for project in {name for name, _ in rows}:
        own = [key for key in rows if key[0] == project]
        own.sort(key=lambda key: (places.get(key, len(places)), rows[key].order))
        environment_rows.renumber(rows[key] for key in own)
