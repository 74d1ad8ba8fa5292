"""Training through a Rasa server: what comes out, and whose fault it is when nothing does."""

import io
import threading
import time

import pytest

from environments import bundles
from environments.actions.jobs import Cancelled
from environments.clients.rasa import RasaClient
from environments.errors import TrainingFailed, TrainingUnavailable
from environments.packing import Limits
from tests.live import wait_until
from tests.projects import CONFIG, tree, zipped
from tests.told import Told
from workers.runtimes.server import ServerRuntime
from workers.waiting import is_busy


def project(**changes) -> bundles.Project:
    return bundles.read(io.BytesIO(zipped(tree(**changes))), Limits())


def train(
    server, token: str = "", config: str = "", patience: float = 0, watch=None, **changes
) -> tuple[str, bytes, list[str]]:
    watch = watch or Told()
    runtime = ServerRuntime("worker", RasaClient(server.url, token), timeout=60, patience=patience)
    with runtime.train(project(**changes), config, watch) as archive:
        return archive.filename, b"".join(iter(lambda: archive.read(1000), b"")), watch.steps


def test_the_project_becomes_an_archive(fake_rasa):
    filename, data, steps = train(fake_rasa)
    assert (filename, data) == (fake_rasa.filename, fake_rasa.archive)
    assert steps == ["waiting for worker", "training on worker"]


@pytest.mark.rasa
def test_a_real_server_trains_a_project_of_several_files(real_rasa):
    more = "intents: [ask]\nresponses: {utter_ask: [{text: \"Otter \\ud83e\\udda6 or 'no': yes\"}]}"
    filename, data, _ = train(
        real_rasa,
        real_rasa.token,
        domain__ask=more,
        data__more__nlu="nlu:\n- intent: ask\n  examples: |\n    - what?\n    - 'why': because\n",
    )
    assert filename.endswith(".tar.gz")
    assert data.startswith(b"\x1f\x8b")


@pytest.mark.rasa
def test_a_real_server_says_what_is_wrong_with_the_data(real_rasa):
    with pytest.raises(TrainingFailed, match="NoSuchComponent"):
        train(real_rasa, real_rasa.token, config="pipeline: [{name: NoSuchComponent}]")


# Runs that are over


@pytest.fixture
def held(fake_rasa):
    """The fake server trains until this is set."""
    fake_rasa.held = threading.Event()
    yield fake_rasa.held
    fake_rasa.held.set()


def cancelled_while(server, happens) -> Told:
    """A training that is cancelled as soon as the condition holds."""
    watch = Told()

    def cancel():
        wait_until(happens, 10, "a moment to cancel in")
        watch.end(Cancelled())

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(Cancelled):
        train(server, watch=watch)
    thread.join()
    return watch


def test_a_training_that_is_cancelled_ends_at_once_and_its_connection_is_kept_until_the_answer(fake_rasa, held):
    cancelled_while(fake_rasa, lambda: fake_rasa.training)
    assert fake_rasa.training == 1
    assert is_busy(fake_rasa.url)
    held.set()
    wait_until(lambda: not is_busy(fake_rasa.url), 10, "the end of the connection")
    assert fake_rasa.broken == 0


@pytest.mark.parametrize("loaded", [True, False], ids=["with a model", "without a model"])
def test_the_next_training_waits_until_the_server_has_ended_the_one_that_was_cancelled(fake_rasa, held, loaded):
    if loaded:
        fake_rasa.load(model_id="a")
    cancelled_while(fake_rasa, lambda: fake_rasa.training)
    watch = Told()
    following = threading.Thread(target=train, args=(fake_rasa,), kwargs={"watch": watch})
    following.start()
    wait_until(lambda: watch.steps and "still trains" in watch.steps[-1], 10, "a wait")
    held.set()
    following.join(20)
    assert watch.steps[-1] == "training on worker"
    assert fake_rasa.most_training == 1


def test_who_waits_for_a_server_that_still_trains_can_be_cancelled(fake_rasa, held):
    fake_rasa.load(model_id="a")
    fake_rasa.training = 1
    waiting = Told()
    timer = threading.Timer(0.3, waiting.end, [Cancelled()])
    timer.start()
    with pytest.raises(Cancelled):
        train(fake_rasa, watch=waiting)
    timer.join()


def test_a_server_that_never_stops_training_is_an_outage_with_its_cure(fake_rasa, monkeypatch):
    fake_rasa.load(model_id="a")
    fake_rasa.training = 1
    runtime = ServerRuntime("worker", RasaClient(fake_rasa.url), timeout=0.1, patience=0)
    with pytest.raises(TrainingUnavailable, match="restart"), runtime.train(project(), "", Told()):
        pytest.fail("it trains")


def test_a_transfer_that_stalls_is_broken_off_when_the_run_is_over(fake_rasa):
    fake_rasa.archive_held = threading.Event()
    try:
        cancelled_while(fake_rasa, lambda: fake_rasa.training == 0 and fake_rasa.most_training)
    finally:
        fake_rasa.archive_held.set()


def test_a_run_that_is_over_before_it_begins_sends_nothing(fake_rasa):
    watch = Told()
    watch.end(Cancelled())
    with pytest.raises(Cancelled):
        train(fake_rasa, watch=watch)
    assert fake_rasa.requests == []


def test_a_server_that_is_waited_for_is_waited_for_no_more(fake_rasa):
    fake_rasa.override = (503, {}, b"")
    watch = Told()
    timer = threading.Timer(0.3, watch.end, [Cancelled()])
    timer.start()
    with pytest.raises(Cancelled):
        train(fake_rasa, watch=watch, patience=60)
    timer.join()


SLOW = CONFIG.split("pipeline")[0] + (
    "pipeline: [{name: WhitespaceTokenizer}, {name: CountVectorsFeaturizer}, {name: DIETClassifier, epochs: 30}]\n"
    "policies: [{name: RulePolicy}]\n"
)


@pytest.mark.rasa
def test_a_real_server_answers_on_while_a_training_that_was_cancelled_comes_to_its_end(real_rasa):
    client, watch = RasaClient(real_rasa.url, real_rasa.token), Told()
    timer = threading.Timer(2, watch.end, [Cancelled()])
    timer.start()
    with pytest.raises(Cancelled):
        train(real_rasa, real_rasa.token, config=SLOW, watch=watch)
    timer.join()
    asked = 0
    while is_busy(real_rasa.url):
        client.version()
        asked += 1
        time.sleep(0.2)
    assert asked > 3


# Whose fault it is


def test_bad_data_is_the_users_in_rasas_words(fake_rasa):
    with pytest.raises(TrainingFailed, match="no such component"):
        train(fake_rasa, config=CONFIG.split("pipeline")[0] + "pipeline: [{name: NoSuchComponent}]")


def test_too_large_a_project_is_the_users(fake_rasa):
    fake_rasa.train_override = (413, {}, b"<h1>Payload Too Large</h1>")
    with pytest.raises(TrainingFailed, match=r"Rasa refused to train\. It answered with the status 413"):
        train(fake_rasa)


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (401, b"", "does not accept the token"),
        (404, b"", "--enable-api"),
        (500, b"<h1>oops</h1>", "status 500"),
        (503, b'{"status": "failure", "reason": "Busy", "message": "Response Timeout"}', "Response Timeout"),
        (302, b"", "redirect"),
    ],
)
def test_an_outage_is_ours(fake_rasa, status, body, sentence):
    fake_rasa.train_override = (status, {}, body)
    with pytest.raises(TrainingUnavailable, match=sentence) as refused:
        train(fake_rasa)
    assert refused.value.detail.startswith("The Rasa server of worker could not train")


def test_an_archive_that_breaks_off_is_an_outage(fake_rasa):
    fake_rasa.cut_archive_at = 10
    with pytest.raises(TrainingUnavailable, match="broke off"):
        train(fake_rasa)


def test_a_server_that_is_away_is_an_outage(fake_rasa):
    fake_rasa.override = (503, {}, b"")
    with pytest.raises(TrainingUnavailable):
        train(fake_rasa)


def test_a_server_that_is_loading_a_model_is_waited_for(fake_rasa):
    fake_rasa.override = (503, {}, b"")
    timer = threading.Timer(0.2, lambda: setattr(fake_rasa, "override", None))
    timer.start()
    _, data, _ = train(fake_rasa, patience=10)
    timer.join()
    assert data == fake_rasa.archive
