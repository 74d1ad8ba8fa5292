"""The sync of pipelines.yml: the rows are what the file declares, all of it or nothing."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.actor import FILE, system
from accounts.models import AuditEvent, User
from environments import errors, pipeline_spec
from environments.actions import pipeline_declaration, pipeline_schedules
from environments.models import Pipeline, PipelineRun
from environments.states import DeclaredIn, Trigger
from tests.factories import ProjectFactory, UserFactory, administrator, give
from tests.pipelines import declare, start

NIGHTLY = """pipelines:
  nightly:
    owner: ana
    promote: production
    on: {schedule: 0 3 * * *}
"""


@pytest.fixture
def ana(project, production):
    """An administrator, also of what came after the role was made."""
    return administrator("ana")


@pytest.fixture(autouse=True)
def there(ana):
    """Everything that the file names."""


def sync(text):
    return list(pipeline_declaration.sync(declaration=pipeline_spec.parse(text), by=system(FILE)).sentences())


def errors_of(text):
    with pytest.raises(errors.PipelinesFileInvalid) as refused:
        sync(text)
    return refused.value.errors


def test_what_is_declared_is_made_once(ana):
    assert sync(NIGHTLY) == ["created pipeline default/nightly"]
    pipeline = Pipeline.objects.get()
    assert (pipeline.owner, pipeline.declared_in, pipeline.declaration["promote"]) == (
        ana,
        DeclaredIn.FILE,
        "production",
    )
    assert pipeline.due_at is not None
    assert sync(NIGHTLY) == []
    assert AuditEvent.objects.filter(action="pipeline.create", via="file").count() == 1


def test_what_changed_is_changed_and_what_left_the_file_is_removed(by_ana):
    sync(NIGHTLY)
    assert sync(NIGHTLY.replace("production", "null")) == ["updated pipeline default/nightly"]
    run = start(Pipeline.objects.get(), by_ana)
    assert sync("pipelines: {}") == ["removed pipeline default/nightly"]
    run.refresh_from_db()
    assert run.status == "cancelled"
    assert pipeline_schedules.start_due(run.created_at.replace(year=2100)) == 0
    assert sync(NIGHTLY) == ["restored pipeline default/nightly"]
    assert PipelineRun.objects.filter(pipeline__removed_at=None).get() == run


def test_one_of_the_api_is_adopted_and_the_others_are_left_alone(project, by_ana):
    declare(project, by_ana)
    declare(project, by_ana, name="other")
    assert sync(NIGHTLY) == ["adopted pipeline default/nightly"]
    assert sync("pipelines: {}") == ["removed pipeline default/nightly"]
    assert Pipeline.objects.present().get().name == "other"


def test_a_file_that_does_not_fit_changes_nothing_and_names_each_line(project, ben):
    give(ben, project, "pipelines.write")
    text = """pipelines:
  a: {owner: nobody}
  b: {owner: ben, promote: production}
  c: {owner: ana, promote: staging}
  d: {owner: ana, source: {repository: bot}}
  e: {owner: ana}
projects:
  bank: {pipelines: {}}
"""
    told = errors_of(text)
    assert set(told) == {
        "pipelines.a.owner",
        "pipelines.b.owner",
        "pipelines.c.promote",
        "pipelines.c.owner",
        "pipelines.d.source.repository",
        "projects.bank",
    }
    assert told["pipelines.b.owner"][0].startswith("line 3: does not hold environments.production.write")
    assert not Pipeline.objects.exists()


def test_an_owner_who_is_gone_is_told():
    User.objects.filter(username="ana").update(is_active=False)
    assert "is no active user" in errors_of(NIGHTLY)["pipelines.nightly.owner"][0]


def test_further_projects(by_ana):
    banking = ProjectFactory(name="banking")
    give(UserFactory(username="ana"), banking, "training.write", "evaluations.write")
    sync("pipelines: {}\nprojects: {banking: {pipelines: {nightly: {owner: ana}}}}")
    assert Pipeline.objects.get().project == banking


def test_it_is_started_as_the_owner_that_the_file_names(ana, by_ana):
    sync(NIGHTLY)
    run = start(Pipeline.objects.get(), by_ana, Trigger.SCHEDULE)
    assert (run.owner, run.token) == (ana, None)


# The command


@pytest.fixture
def file(settings, tmp_path):
    settings.CONTROLPLANE_PIPELINES = tmp_path / "pipelines.yml"
    return settings.CONTROLPLANE_PIPELINES


def command(*arguments):
    out = StringIO()
    call_command("sync_pipelines", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_applies_the_file_and_says_what_it_did(file):
    assert command() == "nothing to change\n"
    file.write_text(NIGHTLY)
    assert command("--check") == "would be created pipeline default/nightly\n"
    assert not Pipeline.objects.exists()
    assert command() == "created pipeline default/nightly\n"


def test_the_command_names_what_is_wrong(file):
    file.write_text("pipelines: {nightly: {}}")
    with pytest.raises(CommandError, match=r"line 1: pipelines\.nightly\.owner: is missing"):
        command()
