"""The same project ends alike by each runtime: the same model, or a failure in Rasa's words."""

import io

import pytest

from environments import archives, bundles
from environments.clients.rasa import RasaClient
from environments.errors import TrainingFailed
from environments.packing import Limits
from environments.receiving import limits
from tests import services
from tests.projects import CONFIG, RULES, tree, zipped
from tests.told import Told
from tests.workers.runtimes.containers import of_containers, rasa_in_a_container
from tests.workers.runtimes.local_rasa import program
from workers.runtimes.command import CommandRuntime
from workers.runtimes.server import ServerRuntime

CONTRADICTION = f"""
{RULES}
- rule: greet otherwise
  steps:
  - intent: greet
  - action: utter_bye
"""
UNKNOWN = CONFIG.split("pipeline")[0] + "pipeline: [{name: NoSuchComponent}]\npolicies: [{name: RulePolicy}]"
# As far as a program of a few lines can tell.
BEHAVIOUR = """
if "NoSuchComponent" in pathlib.Path("project.yml").read_text():
    fail("InvalidConfigException: Can't load class for name 'NoSuchComponent'.")
save()
"""


REAL = [pytest.param(f"real {way}", marks=pytest.mark.rasa) for way in ("server", "command")]
REAL.append(pytest.param("real container", marks=pytest.mark.docker))


@pytest.fixture(params=["fake server", "fake command", "fake container", *REAL])
def runtime(request, tmp_path):
    kind, way = request.param.split()
    if way == "container":
        engine = request.getfixturevalue("fake_docker" if kind == "fake" else "rasa_engine")
        engine.behaviour = rasa_in_a_container
        return of_containers(engine, tmp_path)
    if way == "command":
        command = program(tmp_path, BEHAVIOUR) if kind == "fake" else services.RASA_HOME / "bin" / "rasa"
        return CommandRuntime(command, tmp_path / "training")
    server = request.getfixturevalue(f"{kind}_rasa")
    return ServerRuntime("worker", RasaClient(server.url, server.token), timeout=600, patience=0)


def project(**changes) -> bundles.Project:
    return bundles.read(io.BytesIO(zipped(tree(**changes))), Limits())


def test_a_project_becomes_a_model(runtime, request, tmp_path):
    watch = Told(600)
    with runtime.train(project(), "", watch) as archive:
        inspected = archives.inspect(archive, io.BytesIO(), limits(), tmp_path)
    assert archive.filename.endswith(".tar.gz")
    assert watch.steps
    if "real" in request.node.name:
        assert (inspected.version, inspected.language) == ("3.6.21", "en")
        assert inspected.metadata["assistant_id"] == "otters"
        assert inspected.metadata["training_type"] == 3
        assert set(inspected.metadata["domain"]["intents"]) >= {"greet", "bye"}


def test_a_component_that_is_not_there_fails_in_rasas_words(runtime):
    with (
        pytest.raises(TrainingFailed, match=r"(?i)no.?such.?component") as failed,
        runtime.train(project(config=UNKNOWN), "", Told(600)),
    ):
        pass
    assert "Traceback" not in failed.value.detail


@pytest.mark.parametrize("runtime", REAL, indirect=True)
def test_rules_that_contradict_each_other_fail_in_rasas_words(runtime):
    changes = {"data__rules": CONTRADICTION, "domain__more": "responses: {utter_bye: [{text: Bye}]}\n"}
    with (
        pytest.raises(TrainingFailed, match=r"utter_bye.*contradicting with rule.*greet back") as failed,
        runtime.train(project(**changes), "", Told(600)),
    ):
        pass
    assert "Traceback" not in failed.value.detail


@pytest.mark.parametrize("runtime", REAL, indirect=True)
def test_data_that_rasa_does_not_know_fails_with_its_place(runtime):
    rule = "- rule: greet back\n  conversation_start: sometimes\n  steps:\n  - intent: greet\n  - action: utter_greet\n"
    changes = {"data__rules": f"rules:\n{rule}"}
    with (
        pytest.raises(TrainingFailed, match="conversation_start") as failed,
        runtime.train(project(**changes), "", Told(600)),
    ):
        pass
    assert "Traceback" not in failed.value.detail


@pytest.mark.parametrize("runtime", REAL, indirect=True)
def test_a_project_without_understanding_trains_what_there_is(runtime, tmp_path):
    """No examples: a model of rules alone, whose name begins so."""
    with runtime.train(project(data__nlu=None), "", Told(600)) as archive:
        inspected = archives.inspect(archive, io.BytesIO(), limits(), tmp_path)
    assert archive.filename.startswith("core-")
    assert inspected.metadata["training_type"] == 2
