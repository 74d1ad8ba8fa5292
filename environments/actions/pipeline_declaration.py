"""The sync of pipelines.yml: what the file declares becomes rows, all of it or nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db import transaction

from accounts.actor import PIPELINE, Actor
from accounts.models import Project, User
from environments import permissions, pipeline_spec
from environments.actions import pipeline_rows, pipeline_runs, pipelines
from environments.models import Pipeline
from environments.pipeline_spec import Declaration
from environments.pipeline_spec import Pipeline as Declared
from environments.states import DeclaredIn
from environments.yaml_file import FileError


@dataclass
class Synced:
    """What a sync did, by `project/name`."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def sentences(self) -> Iterator[str]:
        for verb, names in vars(self).items():
            for name in names:
                yield f"{verb} pipeline {name}"


@transaction.atomic
def sync(*, declaration: Declaration, by: Actor) -> Synced:
    """Create, update, adopt, restore and remove until the rows are what the file declares.

    One made through the API whose name the file declares is the file's from then on. Raises `PipelinesFileInvalid`
    where the file does not fit: an unknown owner, or one who does not hold what the steps need.
    """
    projects = {project.name: project for project in Project.objects.order_by("pk")}
    for project in projects.values():
        pipelines.lock(project)
    owners = {user.username: user for user in User.objects.filter(username__in=_owners(declaration))}
    errors = [error for name in declaration.projects if name not in projects for error in _unknown(name)]
    known = [item for item in declaration.pipelines if item.project in projects]
    for item in known:
        errors += _errors(item, projects[item.project], owners.get(item.owner))
    if errors:
        raise pipeline_spec.refused(errors)
    synced = Synced()
    for item in known:
        _bring(item, projects[item.project], owners[item.owner], synced, by)
    _remove_absent({(item.project, item.name) for item in known}, synced, by)
    return synced


def _owners(declaration: Declaration) -> set[str]:
    return {item.owner for item in declaration.pipelines}


def _unknown(project: str) -> Iterator[FileError]:
    yield FileError(1, f"projects.{project}", "is no project. Declare its environments in environments.yml first.")


def _errors(item: Declared, project: Project, owner: User | None) -> Iterator[FileError]:
    key = pipeline_spec.key_of(item)
    for name, cure in pipeline_rows.what_is_missing(project, item).items():
        yield FileError(item.line, f"{key}.{name}", cure)
    if owner is None or not owner.is_active:
        yield FileError(item.line, f"{key}.owner", "is no active user. Name the user whose grants it acts with.")
        return
    lacking = permissions.missing(Actor(user=owner, via=PIPELINE), project, pipeline_spec.grants(item))
    if lacking:
        told = f"does not hold {', '.join(lacking)}, which its steps need. Give it to them, or name another owner."
        yield FileError(item.line, f"{key}.owner", told)


def _bring(item: Declared, project: Project, owner: User, synced: Synced, by: Actor) -> None:
    """The row as it is declared, whatever there was of it."""
    row = pipeline_rows.find(project, item.name)
    told = synced.created if row is None else synced.restored if row.removed_at else synced.updated
    if row is not None and not row.removed_at and row.declared_in == DeclaredIn.API:
        told = synced.adopted
    row = row or Pipeline(project=project, name=item.name)
    if pipeline_rows.write(row, item, owner=owner, token=None, declared_in=DeclaredIn.FILE, by=by):
        told.append(f"{project.name}/{item.name}")


def _remove_absent(kept: set[tuple[str, str]], synced: Synced, by: Actor) -> None:
    for row in Pipeline.objects.present().told().filter(declared_in=DeclaredIn.FILE):
        if (row.project.name, row.name) not in kept:
            pipeline_runs.cancel_all(pipeline=row, by=by)
            pipeline_rows.withdraw(row, by=by)
            synced.removed.append(f"{row.project.name}/{row.name}")
