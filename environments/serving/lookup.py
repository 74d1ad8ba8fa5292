"""The one read of a poll: the environment, and the model that carries the tag it pulls.

Written in SQL, because Django takes ten times longer to write this statement than a database to answer it.
"""

from dataclasses import dataclass
from typing import Any

from django.db import router

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
    "token_rotated_at",
)
MODEL_FIELDS = ("id", "project_id", "name", "hash", "size")

SELECT = """
    SELECT {fields}, project.name AS project_name, COALESCE(owner.name, environment.name) AS pulled_tag, {model_fields},
        model.damaged_at IS NULL AS model_is_whole, (
            SELECT MAX(promotion.id) FROM {promotions} promotion
            WHERE promotion.environment_id = COALESCE(environment.follows_id, environment.id)
        ) AS promotion_id
    FROM {environments} environment
    JOIN {projects} project ON project.id = environment.project_id
    LEFT JOIN {environments} owner ON owner.id = environment.follows_id
    LEFT JOIN {tags} tag ON tag.project_id = environment.project_id
        AND tag.name = COALESCE(owner.name, environment.name)
    LEFT JOIN {models} model ON model.id = tag.model_id
    WHERE environment.retired_at IS NULL AND
""".format(  # noqa: S608 - names of our own tables and columns alone
    fields=", ".join(f"environment.{field}" for field in FIELDS),
    model_fields=", ".join(f"model.{field} AS model_{field}" for field in MODEL_FIELDS),
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
    the promotion that put it there."""

    environment: Environment
    project: str
    tag: str
    model: TrainedModel | None
    promotion: int | None


def by_key(pk: int) -> Found | None:
    return _find(BY_KEY, pk)


def by_name(project: str, name: str) -> Found | None:
    return _find(BY_NAME, project, name)


def _find(statement: str, *parameters: object) -> Found | None:
    environment = next(iter(Environment.objects.raw(statement, parameters)), None)
    if environment is None:
        return None
    columns = vars(environment)
    return Found(environment, columns["project_name"], columns["pulled_tag"], _model(columns), columns["promotion_id"])


def _model(columns: dict[str, Any]) -> TrainedModel | None:
    if columns["model_id"] is None:
        return None
    if not columns["model_is_whole"]:
        return TrainedModel.objects.defer("metadata").get(pk=columns["model_id"])
    values = [columns[f"model_{field}"] for field in MODEL_FIELDS]
    return TrainedModel.from_db(router.db_for_read(TrainedModel), [*MODEL_FIELDS, "damaged_at"], [*values, None])
