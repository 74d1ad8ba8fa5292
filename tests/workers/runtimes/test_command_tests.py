"""Testing a model by a local program: the report is the one that a Rasa server gives."""

import io
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from environments import bundles, examples, rasa_reports
from environments.errors import EvaluationFailed, EvaluationUnavailable
from environments.packing import Limits
from tests import services
from tests.projects import tree, zipped
from tests.told import Told
from tests.workers.runtimes.local_rasa import ARCHIVE, program
from workers.runtimes.command import CommandRuntime

CONFIG = """
recipe: default.v1
language: en
assistant_id: otters
pipeline:
- name: WhitespaceTokenizer
- name: KeywordIntentClassifier
- name: RegexEntityExtractor
policies:
- name: RulePolicy
"""
NLU = """
nlu:
- intent: greet
  examples: |
    - hi
    - hello
    - hello from [Paris](city)
- intent: bye
  examples: |
    - bye
    - see you
    - goodbye from [Rome](city)
- lookup: city
  examples: |
    - Paris
    - Rome
"""
# "see you" is understood as bye, and Oslo is no city it knows.
TESTED = b"""
version: "3.1"
nlu:
- intent: greet
  examples: |
    - hi
    - see you
    - hello from [Paris](city)
- intent: bye
  examples: |
    - bye
    - goodbye from [Oslo](city)
"""
STORIES = b"""
version: "3.1"
stories:
- story: greet
  steps:
  - intent: greet
    user: |
      hi
  - action: utter_greet
- story: wrong
  steps:
  - intent: bye
    user: |
      bye
  - action: utter_greet
"""
DOMAIN = """
intents: [greet, bye]
entities: [city]
responses:
  utter_greet:
  - text: Hello
"""


@dataclass
class Model:
    """A model to test, as its archive."""

    archive: bytes = ARCHIVE
    name: str = "calm-heron"
    hash: str = ""
    version: str = "3.6.21"
    model_id: str = ""
    url: str = ""

    @contextmanager
    def open(self):
        yield io.BytesIO(self.archive)

    def was_fetched(self) -> bool:
        return False


def fake(tmp_path, behaviour) -> CommandRuntime:
    return CommandRuntime(program(tmp_path, behaviour), tmp_path / "runs")


def test_the_program_gets_the_model_and_the_data(tmp_path):
    behaviour = "say(repr(sys.argv[1:])); say(pathlib.Path('project.yml').read_text())\n"
    behaviour += "say(pathlib.Path('tested.tar.gz').stat().st_size)\nos.mkdir('results')\n"
    behaviour += "pathlib.Path('results/intent_report.json').write_text('{\"accuracy\": 1.0}')"
    watch = Told()
    answer = fake(tmp_path, behaviour).test_nlu(Model(), TESTED, watch)
    assert "'test', 'nlu', '--model', 'tested.tar.gz', '--nlu', 'project.yml'" in watch.text
    assert TESTED.decode() in watch.text
    assert str(len(ARCHIVE)) in watch.text
    assert answer["intent_evaluation"]["accuracy"] == 1.0
    assert answer["entity_evaluation"] is None


@pytest.mark.parametrize(
    ("behaviour", "error", "sentence"),
    [
        ("say('\\x1b[91mUnable to test: no core model found.\\x1b[0m')", EvaluationFailed, "no core model found"),
        ("fail('YamlException: bad')", EvaluationFailed, "YamlException: bad"),
        ("os.kill(os.getpid(), 9)", EvaluationUnavailable, "signal 9"),
        (
            "os.mkdir('results'); [open(f'results/{n}_report.json', 'w').write('{') for n in ('intent', 'story')]",
            EvaluationFailed,
            "no JSON",
        ),
        (
            "os.mkdir('results'); [os.symlink('/etc/passwd', f'results/{n}_report.json') for n in ('intent', 'story')]",
            EvaluationFailed,
            "else than a file",
        ),
    ],
)
def test_a_test_without_a_report_says_why(tmp_path, behaviour, error, sentence):
    runtime = fake(tmp_path, behaviour)
    with pytest.raises(error, match=sentence):
        runtime.test_nlu(Model(), TESTED, Told())
    with pytest.raises(error, match=sentence):
        runtime.test_stories(Model(), STORIES, Told())
    assert list((tmp_path / "runs").iterdir()) == []


# Real


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    return CommandRuntime(services.RASA_HOME / "bin" / "rasa", tmp_path_factory.mktemp("runs") / "training")


def project() -> bundles.Project:
    return bundles.read(io.BytesIO(zipped(tree(config=CONFIG, domain=DOMAIN, data__nlu=NLU))), Limits())


@pytest.fixture(scope="module")
def model(real) -> Model:
    """A model that real Rasa trained."""
    with real.train(project(), "", Told(600)) as archive:
        return Model(b"".join(iter(lambda: archive.read(65536), b"")))


@pytest.mark.rasa
def test_a_real_test_of_understanding_tells_every_prediction(real, model):
    watch = Told(600)
    answer = real.test_nlu(model, TESTED, watch)
    tested = examples.read(bundles.read(io.BytesIO(zipped(tree(data__nlu=TESTED.decode()))), Limits()).training["nlu"])
    found = rasa_reports.understood(answer, tested)
    told = {one["text"]: (one["intent"], one["predicted"]) for one in found.predictions}
    assert told == {
        "hi": ("greet", "greet"),
        "see you": ("greet", "bye"),
        "hello from Paris": ("greet", "greet"),
        "bye": ("bye", "bye"),
        "goodbye from Oslo": ("bye", told["goodbye from Oslo"][1]),
    }
    assert found.intents["per_intent"]["greet"]["recall"] == pytest.approx(2 / 3)
    assert found.entities["per_entity"]["city"]["recall"] == pytest.approx(1 / 2)
    assert any(step.startswith("testing, ") for step in watch.steps)


@pytest.mark.rasa
def test_a_real_test_of_stories_tells_what_went_wrong(real, model):
    found = rasa_reports.stories(real.test_stories(model, STORIES, Told(600)), 2)
    assert found["wrong"] == [{"action": "utter_greet", "predicted": "action_default_fallback"}, *found["wrong"][1:]]
    assert 0 < found["accuracy"] < 1
    assert found["per_action"]["utter_greet"]["recall"] == pytest.approx(1 / 2)


@pytest.mark.rasa
def test_a_real_cross_validation_tells_every_prediction(real):
    answer = real.test_nlu(Model(), project().document(), Told(600), folds=2)
    predictions = answer["intent_evaluation"]["predictions"]
    assert {one["text"] for one in predictions} >= {"hi", "hello", "bye", "see you"}
