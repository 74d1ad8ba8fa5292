"""Without any Rasa server: a bundle is trained and its model tested, stories too, by the Rasa of this machine."""

import getpass
import io

import pytest

from accounts.models import Project
from environments.actions import evaluations, trainings
from environments.models import Evaluation
from environments.receiving import receive_bundle
from environments.states import EvaluationMethod
from tests import services
from tests.projects import TEST_NLU, TEST_STORIES, tree, zipped
from workers.tasks import evaluation, training


@pytest.fixture
def local_rasa(settings, tmp_path):
    settings.TRAINING_RUNTIME, settings.TRAINING_USER = "command", getpass.getuser()
    settings.RASA_COMMAND = services.RASA_HOME / "bin" / "rasa"
    settings.TRAINING_FOLDER = str(tmp_path / "training")


@pytest.mark.rasa
def test_a_bundle_becomes_a_model_that_is_tested(local_rasa, project, by_ben):
    files = tree(tests__nlu=TEST_NLU, tests__test_stories=TEST_STORIES)
    receive_bundle(project=project, stream=io.BytesIO(zipped(files)), by=by_ben)
    job = trainings.submit(project=Project.objects.get(), by=by_ben)
    training.train(job.pk)
    job.refresh_from_db()
    assert (job.status, job.error_detail) == ("succeeded", "")
    assert job.result.version == "3.6.21"

    made = evaluations.submit(model=job.result, by=by_ben)
    evaluation.evaluate(made.job.pk)
    found = Evaluation.objects.select_related("job").get(pk=made.pk)
    assert (found.job.status, found.job.error_detail, found.job.runtime) == ("succeeded", "", "command")
    assert (found.method, found.tested) == (EvaluationMethod.DATA, 3)
    assert {(one["text"], one["intent"]) for one in found.predictions} == {
        ("hi there", "greet"),
        ("hello", "greet"),
        ("bye for now", "bye"),
    }
    assert found.stories["stories"] == 1
    assert found.stories["accuracy"] == pytest.approx(1.0)
