"""The one read of a poll: the environment, and the model that carries the tag it pulls.

Written in SQL, because Django takes ten times longer to write this statement, and to sort its columns into rows, than a
database to answer it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection

from accounts.models import Project
from environments.models import Environment, Promotion, Tag, TrainedModel

# What a poll needs of an environment; everything else is loaded when it is asked for.
FIELDS = (
    "id",
    "project_id",
    "name",
    "follows_id",
    "workers",
    "pull_interval",
    "token_generation",
)
MODEL_FIELDS = ("id", "project_id", "name", "hash", "size")

SELECT = """
    SELECT {fields}, project.name, COALESCE(owner.name, environment.name), (
            SELECT MAX(promotion.id) FROM {promotions} promotion
            WHERE promotion.environment_id = COALESCE(environment.follows_id, environment.id)
        ), CASE WHEN owner.id IS NULL THEN environment.frozen_at ELSE owner.frozen_at END IS NOT NULL,
        model.damaged_at IS NULL, {model_fields}
    FROM {environments} environment
    JOIN {projects} project ON project.id = environment.project_id
    LEFT JOIN {environments} owner ON owner.id = environment.follows_id
    LEFT JOIN {tags} tag ON tag.project_id = environment.project_id
        AND tag.name = COALESCE(owner.name, environment.name)
    LEFT JOIN {models} model ON model.id = tag.model_id
    WHERE environment.retired_at IS NULL AND
""".format(  # noqa: S608 - names of our own tables and columns alone
    fields=", ".join(f"environment.{field}" for field in FIELDS),
    model_fields=", ".join(f"model.{field}" for field in MODEL_FIELDS),
    environments=Environment._meta.db_table,
    projects=Project._meta.db_table,
    tags=Tag._meta.db_table,
    models=TrainedModel._meta.db_table,
    promotions=Promotion._meta.db_table,
)
BY_KEY = f"{SELECT} environment.id = %s"
BY_NAME = f"{SELECT} project.name = %s AND environment.name = %s"


@dataclass(frozen=True)
class Found:
    """An active environment, the name of its project, the tag it pulls, the model that carries it and the number of
    the promotion that put it there; and whether it is frozen."""

    environment: Environment
    project: str
    tag: str
    model: TrainedModel | None
    promotion: int | None
    frozen: bool


def by_key(pk: int) -> Found | None:
    return _find(BY_KEY, pk)


def by_name(project: str, name: str) -> Found | None:
    return _find(BY_NAME, project, name)


def _find(statement: str, *parameters: int | str) -> Found | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
    if row is None:
        return None
    environment, (project, tag, promotion, frozen, whole), model = (
        row[: len(FIELDS)],
        row[len(FIELDS) : -len(MODEL_FIELDS)],
        row[-len(MODEL_FIELDS) :],
    )
    return Found(
        environment=Environment.from_db(DEFAULT_DB_ALIAS, FIELDS, environment),
        project=project,
        tag=tag,
        model=_model(model, whole=whole),
        promotion=promotion,
        frozen=bool(frozen),
    )


def _model(values: Sequence[Any], *, whole: bool) -> TrainedModel | None:
    key = values[0]
    if key is None:
        return None
    if not whole:
        return TrainedModel.objects.defer("metadata").get(pk=key)
    return TrainedModel.from_db(DEFAULT_DB_ALIAS, [*MODEL_FIELDS, "damaged_at"], [*values, None])
