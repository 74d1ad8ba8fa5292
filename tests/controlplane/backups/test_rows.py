"""Rows as lines: what comes back is what was there, whichever values they hold."""

from datetime import UTC, datetime, timedelta, timezone

import hypothesis
import hypothesis.strategies as st
import pytest
from django.apps import apps
from django.db import connection, models, transaction

from accounts.models import AuditEvent, Session
from controlplane.backups import BackupError, rows
from environments.models import Bundle, Instance, Job, Listening, TrainedModel
from tests.factories import ProjectFactory, TrainedModelFactory

COLUMNS = rows.columns_of(AuditEvent)
plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9).map(lambda x: x + 0.0) | plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain, inner, max_size=3),
    max_leaves=5,
)


def all_of(model, columns):
    return b"".join(rows.lines(model, columns))


@pytest.mark.django_db
@hypothesis.settings(max_examples=30, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(
    name=plain, before=documents, at=st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
)
def test_what_was_written_is_read_back_to_the_last_digit(project, name, before, at):
    with transaction.atomic():
        event = AuditEvent.objects.create(
            project=project, actor=name, action="a.b", object=name, before=before, via="api"
        )
        data = all_of(AuditEvent, COLUMNS)
        digest = rows.digest(AuditEvent, COLUMNS)
        stored = AuditEvent.objects.get(pk=event.pk)
        transaction.set_rollback(True)
    with transaction.atomic():
        rows.load(AuditEvent, COLUMNS, data, lambda count: None)
        again = AuditEvent.objects.get(pk=event.pk)
        assert (again.actor, again.before, again.at, again.kind) == (name, stored.before, stored.at, "a")
        assert rows.digest(AuditEvent, COLUMNS) == digest
        transaction.set_rollback(True)


def test_times_are_written_in_utc_to_the_microsecond():
    berlin = timezone(timedelta(hours=2))
    assert rows._plain(datetime(2026, 7, 1, 12, 0, 0, 7, berlin)) == "2026-07-01T10:00:00.000007+00:00"


def test_what_the_database_computes_is_not_carried_on():
    assert "kind" not in COLUMNS
    assert "action" in COLUMNS


def test_all_tables_of_ours_are_carried_on_but_those_that_mean_nothing_elsewhere():
    carried = rows.models_of(apps)
    ours = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    left_out = {table for table in ours - set(carried) if not table.startswith("axes_")}
    assert left_out == {each._meta.db_table for each in (Session, Instance, Listening)}
    assert {"accounts_user_groups", "guardian_groupobjectpermission", "auth_permission"} <= set(carried)


def test_every_kind_of_column_that_there_is_can_be_carried_on():
    """A new one of another kind needs a line in `rows._plain`."""
    kinds = {
        field.get_internal_type()
        for model in rows.models_of(apps).values()
        for field in model._meta.local_concrete_fields
    }
    strange = {models.BinaryField, models.DurationField, models.DecimalField, models.UUIDField, models.TimeField}
    assert kinds.isdisjoint({kind.__name__ for kind in strange})


def test_rows_that_the_database_does_not_take_are_told_by_their_table(project):
    line = all_of(ProjectFactory._meta.model, ["id", "name", "created_at"])
    with pytest.raises(BackupError, match="does not take rows of accounts_project"), transaction.atomic():
        rows.load(ProjectFactory._meta.model, ["id", "name", "created_at"], line, lambda count: None)


def test_new_rows_are_numbered_after_those_that_were_loaded(project):
    model = TrainedModelFactory(project=project)
    columns = rows.columns_of(TrainedModel)
    data = all_of(TrainedModel, columns).replace(b"[%d," % model.pk, b"[%d," % (model.pk + 5000), 1)
    rows.empty([TrainedModel])
    rows.load(TrainedModel, columns, data, lambda count: None)
    rows.count_on([TrainedModel, Bundle, Job])
    assert TrainedModelFactory(project=project).pk == model.pk + 5001


def test_large_rows_are_read_a_few_at_a_time(project):
    assert all(table in rows.models_of(apps) for table in rows.LARGE_ROWS)
    assert connection.vendor in ("sqlite", "postgresql")
