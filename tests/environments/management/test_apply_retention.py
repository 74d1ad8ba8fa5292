"""`manage.py apply_retention`: the same as each night, now, or told beforehand."""

import pytest
from django.core.management import CommandError, call_command

from environments.models import Retention, TrainedModel
from tests.factories import TrainedModelFactory


@pytest.fixture
def models(project):
    return [TrainedModelFactory(project=project, name=f"model-{letter}", size=2048) for letter in "abc"]


@pytest.fixture
def run(capsys):
    def run(*arguments):
        call_command("apply_retention", *arguments)
        return capsys.readouterr().out

    return run


def test_a_dry_run_tells_each_and_deletes_none_also_while_it_is_off(run, project, models):
    Retention.objects.create(project=project, keep_models=1)
    told = run("--dry-run")
    assert "kept   model model-c  2.0 KB  it is the newest" in told
    assert "goes   model model-a" in told
    assert "2 would go, which frees 4.0 KB." in told
    assert "is off" in told
    assert TrainedModel.objects.present().count() == 3


def test_it_tells_what_went(run, project, models):
    Retention.objects.create(project=project, enabled=True, keep_models=1)
    assert "2 models and 0 bundles went, 4.0 KB." in run()
    assert TrainedModel.objects.present().count() == 1


def test_off_it_says_so_and_deletes_nothing(run, project, models):
    assert "is off: nothing goes by itself" in run()
    assert TrainedModel.objects.present().count() == 3


def test_an_unknown_project_is_told(run, project):
    with pytest.raises(CommandError, match=r"There is no project nobody\."):
        run("--project", "nobody")
