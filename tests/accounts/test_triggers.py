"""The database refuses every change of the audit trail, and a start or a check tells where it would not."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import DatabaseError, IntegrityError, connection, transaction

from accounts import triggers
from accounts.actions import audit, audit_links
from accounts.actor import COMMAND, system
from accounts.models import AuditEvent, AuditLink
from controlplane import bootstrap
from tests import tampering

pytestmark = pytest.mark.django_db


@pytest.fixture
def event(project):
    event = audit.record(by=system(COMMAND), action="model.register", object="model:calm-heron", project=project)
    audit_links.seal()
    connection.check_constraints()
    return event


@pytest.mark.parametrize("model", [AuditEvent, AuditLink])
@pytest.mark.usefixtures("event")
def test_no_row_can_be_changed_or_removed(model):
    for change in (
        lambda: model.objects.update(**{"actor": "cy"} if model is AuditEvent else {"hash": "0"}),
        lambda: model.objects.all()._raw_delete("default"),
        lambda: model.objects.get().delete(),
        lambda: model.objects.get().save(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    assert model.objects.count() == 1


def test_no_row_can_be_replaced(event):
    columns = "id, at, actor, action, object, address, via, token"
    row = f"accounts_auditevent ({columns}) VALUES ({event.pk}, '2026-01-01', 'cy', 'x.y', 'y', '', 'page', '')"
    if connection.vendor == "postgresql":
        replace = f"INSERT INTO {row} ON CONFLICT (id) DO UPDATE SET via = ''"
    else:
        replace = f"INSERT OR REPLACE INTO {row}"
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        tampering.execute(replace)
    assert AuditEvent.objects.get().actor == COMMAND


def test_no_event_can_be_sealed_again_in_the_place_of_its_link(event):
    values = f"7, {event.pk}, '', '2026-01-01'"
    verb = "INSERT" if connection.vendor == "postgresql" else "INSERT OR REPLACE"
    with pytest.raises(IntegrityError), transaction.atomic():
        tampering.execute(f"{verb} INTO accounts_auditlink (position, event_id, hash, sealed_at) VALUES ({values})")
    assert AuditLink.objects.get().position == 1


@pytest.mark.usefixtures("event")
@pytest.mark.parametrize("table", triggers.TABLES)
def test_no_table_can_be_emptied(table):
    emptying = f"TRUNCATE {table} CASCADE" if connection.vendor == "postgresql" else f"DELETE FROM {table}"  # noqa: S608
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        tampering.execute(emptying)


def test_every_unique_column_is_known():
    for model in (AuditEvent, AuditLink):
        unique = {field.column for field in model._meta.concrete_fields if field.unique}
        assert unique == set(triggers.TABLES[model._meta.db_table])


def spoil():
    """Each way to get past them, with the triggers that should be found."""
    if connection.vendor == "postgresql":
        table, name = "accounts_auditevent", "accounts_auditevent_append_only"
        other = f"CREATE TRIGGER {name} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT "
        yield [f"DROP TRIGGER {name} ON {table}"], [name]
        yield [f"ALTER TABLE {table} DISABLE TRIGGER {name}"], [name]
        yield [f"ALTER TABLE {table} ENABLE TRIGGER {name}"], [name]
        yield (
            [f"DROP TRIGGER {name} ON {table}", f"{other} WHEN (1 = 2) EXECUTE FUNCTION accounts_append_only()"],
            [name],
        )
        body = "CREATE OR REPLACE FUNCTION accounts_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        yield [f"{body} 'BEGIN RETURN NULL; END'"], sorted(f"{table}_append_only" for table in triggers.TABLES)
    else:
        name = "accounts_auditlink_no_delete"
        yield [f"DROP TRIGGER {name}"], [name]
        harmless = f"CREATE TRIGGER {name} BEFORE DELETE ON accounts_auditlink BEGIN SELECT 1; END"
        yield [f"DROP TRIGGER {name}", harmless], [name]


@pytest.mark.usefixtures("event")
def test_what_is_missing_or_disabled_is_found_and_put_back():
    for statements, found in spoil():
        tampering.execute(*statements)
        assert triggers.missing(connection) == found
        triggers.install(connection)
        assert triggers.missing(connection) == []
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditEvent.objects.update(actor="cy")


def test_the_check_of_the_database_names_them():
    tampering.end_triggers()
    with pytest.raises(SystemCheckError, match=r"accounts\.E001.*The audit trail can be changed: .*accounts_auditlink"):
        call_command("check", databases=["default"])
    triggers.install(connection)
    call_command("check", databases=["default"], stdout=StringIO())


def test_a_start_puts_them_back_says_so_and_leaves_an_event():
    said = []
    bootstrap.migrate(say=said.append)
    assert said == []
    tampering.end_triggers()
    bootstrap.migrate(say=said.append)
    assert triggers.missing(connection) == []
    assert "The audit trail could be changed" in said[0]
    event = AuditEvent.objects.get()
    assert event.action == "audit.protect"
    assert event.before["missing"]


@pytest.mark.django_db(transaction=True)
def test_a_table_that_a_migration_rebuilt_is_protected_again():
    field = AuditEvent._meta.get_field("address")
    wider = field.clone()
    wider.max_length, wider.model = 65, AuditEvent
    wider.set_attributes_from_name("address")
    with connection.schema_editor() as editor:
        editor.alter_field(AuditEvent, field, wider)
    with connection.schema_editor() as editor:
        editor.alter_field(AuditEvent, wider, field)
    assert bool(triggers.missing(connection)) == (connection.vendor == "sqlite")
    call_command("migrate", verbosity=0)
    assert triggers.missing(connection) == []


@pytest.mark.django_db(transaction=True)
def test_a_table_that_is_not_there_yet_needs_no_protection():
    tampering.execute("ALTER TABLE accounts_auditlink RENAME TO away")
    try:
        assert [name for name in triggers.missing(connection) if "link" in name] == []
    finally:
        tampering.execute("ALTER TABLE away RENAME TO accounts_auditlink")
        triggers.install(connection)
