"""Counts of what happens to promotions and jobs, for `/metrics`.

They are written once what they count is committed: a count holds nobody up, and none that fails undoes anything.
"""

from django.db import connection

from environments.actions import after_commit
from environments.metric_families import SUM, Family, bucket_of
from environments.models import Tally

ADD = f"""
    INSERT INTO {Tally._meta.db_table} (project_id, metric, subject, label, value) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (project_id, metric, subject, label)
    DO UPDATE SET value = {Tally._meta.db_table}.value + excluded.value
"""  # noqa: S608 - a name of our own table alone


def count(family: Family, project_id: int, subject: str, label: str = "", times: int = 1) -> None:
    """It happened so many times."""
    if times:
        _soon(family, project_id, subject, {label: float(times)})


def observe(family: Family, project_id: int, subject: str, seconds: float) -> None:
    """It took so long."""
    _soon(family, project_id, subject, {bucket_of(seconds, family.buckets): 1.0, SUM: seconds})


def _soon(family: Family, project_id: int, subject: str, amounts: dict[str, float]) -> None:
    rows = [(project_id, family.name, subject, label, amount) for label, amount in amounts.items()]
    after_commit.call(_add, rows)


def _add(rows: list[tuple[int, str, str, str, float]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(ADD, rows)
