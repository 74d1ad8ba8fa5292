"""A migration only adds, and what it adds has a default in the database, so that the version before goes on with it."""

import inspect

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader

from controlplane.celery import app as celery_app

# What a new installation began with. The version before never saw these tables without them.
FIRST_RELEASE = {"accounts": {"0001_initial"}, "environments": {"0001_initial", "0002_training"}}
ADDING = (migrations.CreateModel, migrations.AddIndex)
CURE = (
    "Add only: a table, a column that is null or has a db_default, an index. Take away or rename in two versions: "
    "first no code uses it, then it goes. A migration that is safe beside the version before for another reason says "
    "which in `safe_beside_the_version_before`, a sentence in its class."
)


def later():
    """The migrations since, with the models that each of them makes anew."""
    loader = MigrationLoader(None)
    for (app, name), migration in sorted(loader.disk_migrations.items()):
        if app in FIRST_RELEASE and name not in FIRST_RELEASE[app]:
            yield migration


def narrowing(migration):
    """What it does that the version before could stumble over."""
    if getattr(migration, "safe_beside_the_version_before", ""):
        return
    new = {operation.name_lower for operation in migration.operations if isinstance(operation, migrations.CreateModel)}
    for operation in migration.operations:
        if not adds(operation) and getattr(operation, "model_name_lower", "") not in new:
            yield operation.describe()


def adds(operation):
    if isinstance(operation, migrations.AddField):
        field = operation.field
        return field.null or field.many_to_many or field.db_default is not models.NOT_PROVIDED
    return isinstance(operation, ADDING)


@pytest.mark.parametrize("migration", [*later()], ids=str)
def test_each_migration_adds_and_no_more(migration):
    assert list(narrowing(migration)) == [], CURE


def of(*operations, **members):
    return type("Migration", (migrations.Migration,), {"operations": operations, **members})("test", "environments")


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("job", "note", models.TextField(null=True)),
        migrations.AddField("job", "note", models.TextField(db_default="")),
        migrations.AddIndex("job", models.Index(fields=["note"], name="job_note")),
        migrations.CreateModel("note", [("id", models.BigAutoField(primary_key=True))]),
    ],
)
def test_what_adds_is_taken(operation):
    assert list(narrowing(of(operation))) == []


@pytest.mark.parametrize(
    "operation",
    [
        # Of a default that Python alone knows the database keeps nothing: the version before could insert no row.
        migrations.AddField("job", "note", models.TextField(default="")),
        migrations.RemoveField("job", "note"),
        migrations.RenameField("job", "note", "remark"),
        migrations.RenameModel("job", "work"),
        migrations.DeleteModel("job"),
        migrations.AlterField("job", "note", models.CharField(max_length=5)),
        migrations.AddConstraint("job", models.UniqueConstraint(fields=["note"], name="job_note")),
        migrations.RunSQL("UPDATE environments_job SET note = ''"),
        migrations.RunPython(migrations.RunPython.noop),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_what_takes_away_or_narrows_is_refused_unless_it_says_why_not(operation):
    assert len(list(narrowing(of(operation)))) == 1
    assert list(narrowing(of(operation, safe_beside_the_version_before="Nothing wrote it since 1.2."))) == []


def test_a_constraint_of_a_new_table_narrows_nothing():
    table = migrations.CreateModel("Note", [("id", models.BigAutoField(primary_key=True))])
    constraint = migrations.AddConstraint("note", models.UniqueConstraint(fields=["id"], name="note_id"))
    assert list(narrowing(of(table, constraint))) == []


def test_messages_to_workers_carry_one_number_at_most():
    """So that those of one version and of the next understand each other."""
    celery_app.loader.import_default_modules()
    ours = {name: task for name, task in celery_app.tasks.items() if name.startswith(("workers.", "controlplane."))}
    assert "workers.train" in ours
    for name, task in ours.items():
        taken = list(inspect.signature(task.run).parameters.values())
        assert len(taken) <= 1, name
        assert all(each.name.endswith("_id") and each.annotation in (int, "int") for each in taken), name
