"""`manage.py train`: a folder in, a model out, and a reason where there is none."""

import io

import pytest
from django.core.management import CommandError, call_command

from environments.models import Bundle, Job, TrainedModel
from tests.projects import tree
from workers.tasks import training


@pytest.fixture
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    for path, text in tree().items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    return folder


@pytest.fixture
def worked(monkeypatch, settings):
    """A worker that does each message at once."""
    settings.TRAINING_PATIENCE = 0
    monkeypatch.setattr("controlplane.celery_app.send_task", lambda name, args, **_: training.train(*args))


def train(*arguments) -> str:
    out = io.StringIO()
    call_command("train", *map(str, arguments), stdout=out)
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_a_folder_is_trained_and_waited_for(training_server, ben, folder, worked):
    shown = train(folder, "--wait", "--by", "ben", "--name", "release-7", "--tag", "nightly")
    assert "trained release-7" in shown
    model = TrainedModel.objects.get()
    assert (model.name, model.registered_by_name) == ("release-7", "ben")
    assert [tag.name for tag in model.tags.all()] == ["nightly"]


@pytest.mark.django_db(transaction=True)
def test_a_failed_training_ends_with_the_reason(training_server, ben, folder, worked, tmp_path):
    config = tmp_path / "other.yml"
    config.write_text("pipeline: [{name: NoSuchComponent}]")
    with pytest.raises(CommandError, match=r"failed: .*no such component"):
        train(folder, "--wait", "--by", "ben", "--config", config)


def test_without_wait_the_job_is_left_to_the_worker(training_server, ana, folder):
    shown = train(folder, "--by", "ana")
    job = Job.objects.get()
    assert (job.status, f"job {job.pk}:" in shown) == ("queued", True)


def test_the_same_folder_twice_is_one_bundle(training_server, ana, folder):
    train(folder, "--by", "ana")
    train(folder, "--by", "ana")
    assert (Bundle.objects.count(), Job.objects.count()) == (1, 2)


def test_what_is_wrong_is_said_in_a_sentence(training_server, ana, cy, folder, tmp_path):
    for arguments, sentence in [
        ([tmp_path / "missing", "--by", "ana"], "There is no folder"),
        ([folder], "no active user admin. Name one with --by"),
        ([folder, "--by", "ana", "--project", "banking"], "no project banking"),
        ([folder, "--by", "cy"], "no project default"),
        ([tmp_path, "--by", "ana"], r"There is no config\.yml"),
        ([folder, "--by", "ana", "--config", tmp_path / "none.yml"], "cannot be read"),
    ]:
        with pytest.raises(CommandError, match=sentence):
            train(*arguments)
