"""Training through a Rasa server: what comes out, and whose fault it is when nothing does."""

import io
import threading

import pytest

from environments import bundles
from environments.clients.rasa import RasaClient
from environments.errors import TrainingFailed, TrainingUnavailable
from environments.packing import Limits
from tests.projects import CONFIG, tree, zipped
from workers.runtimes.server import ServerRuntime


def project(**changes) -> bundles.Project:
    return bundles.read(io.BytesIO(zipped(tree(**changes))), Limits())


def train(server, token: str = "", config: str = "", patience: float = 0, **changes) -> tuple[str, bytes, list[str]]:
    steps: list[str] = []
    runtime = ServerRuntime("worker", RasaClient(server.url, token), timeout=60, patience=patience)
    with runtime.train(project(**changes), config, steps.append) as archive:
        return archive.filename, b"".join(iter(lambda: archive.read(1000), b"")), steps


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
