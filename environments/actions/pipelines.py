"""Pipelines made through the API and the pages: declare, change, remove one, and the secret of its pushes.

Those of pipelines.yml are `actions.pipeline_declaration`'s; both write through `pipeline_rows`.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from accounts.actor import Actor
from accounts.models import Project, User
from accounts.problems import InvalidFields
from environments import errors, names, permissions, pipeline_spec
from environments.actions import pipeline_rows, pipeline_runs
from environments.models import Pipeline
from environments.pipeline_spec import Pipeline as Declared
from environments.states import DeclaredIn


@transaction.atomic
def define(*, project: Project, declared: Declared, by: Actor) -> Pipeline:
    """A new pipeline, owned by who declares it."""
    lock(project)
    by = by.anew()
    permissions.check_can_write_pipelines(by, project)
    names.check_label(declared.name, "pipeline", field="name")
    existing = pipeline_rows.find(project, declared.name)
    if existing is not None and existing.removed_at is None:
        raise errors.PipelineExists(f"There is a pipeline {declared.name}. Change it, or choose another name.")
    return _write(existing or Pipeline(project=project, name=declared.name), declared, by)


@transaction.atomic
def change(*, pipeline: Pipeline, members: Mapping[str, Any], by: Actor) -> Pipeline:
    """Change the keys that are said, as JSON. Whoever changes it holds every grant that its steps need, and owns it
    from then on."""
    locked, by = _locked(pipeline, by)
    whole = {**locked.declaration, "enabled": locked.enabled, **members}
    return _write(locked, pipeline_spec.read_json(whole, project=locked.project.name, name=locked.name), by)


@transaction.atomic
def replace(*, pipeline: Pipeline, declared: Declared, by: Actor) -> Pipeline:
    """Declare it anew. Whoever does holds every grant that its steps need, and owns it from then on."""
    locked, by = _locked(pipeline, by)
    return _write(locked, declared, by)


@transaction.atomic
def remove(*, pipeline: Pipeline, by: Actor) -> None:
    """Take it away; a run that goes on is cancelled. Its runs stay as history."""
    locked, by = _locked(pipeline, by)
    pipeline_runs.cancel_all(pipeline=locked, by=by)
    pipeline_rows.withdraw(locked, by=by)


@transaction.atomic
def new_push_secret(*, pipeline: Pipeline, by: Actor) -> str:
    """A new secret for the git server to sign its pushes with, in place of any before; it is told this once.

    Who has it starts the pipeline, so it takes what starting by hand takes.
    """
    locked, by = _locked(pipeline, by, also_of_the_file=True)
    pipeline_runs.check_may_run(locked, by)
    secret = secrets.token_urlsafe(32)
    locked.push_secret = secret
    locked.save(update_fields=["sealed_push_secret"])
    pipeline_rows.record(locked, "push_secret", by, after={"push_secret": "changed"})
    return secret


def lock(project: Project) -> None:
    """One declaration at a time in a project."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def _locked(pipeline: Pipeline, by: Actor, *, also_of_the_file: bool = False) -> tuple[Pipeline, Actor]:
    lock(pipeline.project)
    by = by.anew()
    permissions.check_can_write_pipelines(by, pipeline.project)
    rows = Pipeline.objects.select_for_update(of=("self",)).present().told()
    locked = rows.filter(pk=pipeline.pk).first()
    if locked is None:
        raise errors.PipelineGone(f"The pipeline {pipeline.name} was removed meanwhile. Declare it again.")
    if locked.declared_in == DeclaredIn.FILE and not also_of_the_file:
        raise errors.PipelineInFile(
            f"{locked.name} is declared in pipelines.yml. Change it there, then run manage.py sync_pipelines."
        )
    return locked, by


def _write(pipeline: Pipeline, declared: Declared, by: Actor) -> Pipeline:
    owner = _owner(declared, by)
    pipeline_rows.check_can_own(by, pipeline.project, declared)
    pipeline_rows.write(pipeline, declared, owner=owner, token=by.token, declared_in=DeclaredIn.API, by=by)
    return pipeline


def _owner(declared: Declared, by: Actor) -> User:
    if by.user is None or declared.owner not in ("", by.user.username):
        cure = "Leave it out: whoever declares a pipeline here owns it. Only pipelines.yml names owners."
        raise InvalidFields(f"owner: {cure}", errors={"owner": [cure]})
    return by.user
