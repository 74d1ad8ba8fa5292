"""The Rasa client: one contract for the fake and for a real server, then what only a fake can do wrong."""

import logging

import pytest

from environments.clients import rasa
from environments.clients.rasa import RasaClient

DOCUMENT = b"""
version: "3.1"
language: en
assistant_id: contract
pipeline:
- name: WhitespaceTokenizer
- name: KeywordIntentClassifier
policies:
- name: RulePolicy
intents: [greet, bye]
responses:
  utter_greet:
  - text: Hello
nlu:
- intent: greet
  examples: |
    - hi
    - hello
- intent: bye
  examples: |
    - bye
    - see you
rules:
- rule: greet back
  steps:
  - intent: greet
  - action: utter_greet
"""


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.rasa)])
def empty_server(request) -> RasaClient:
    """A server without a model."""
    server = request.getfixturevalue("fake_rasa" if request.param == "fake" else "real_rasa")
    return RasaClient(server.url, server.token)


def read_all(trained: rasa.Trained) -> bytes:
    return b"".join(iter(lambda: trained.read(1000), b""))


def test_a_server_tells_its_version(empty_server):
    version = empty_server.version()
    assert version.version.startswith("3.")
    assert version.minimum_compatible_version.startswith("3.")


def test_a_server_without_a_model_has_no_status(empty_server):
    assert empty_server.status() is None


def test_a_server_without_a_model_has_no_answer_and_no_tracker(empty_server):
    assert empty_server.send_message("ana", "hi") == []
    with pytest.raises(rasa.RasaRefused) as refused:
        empty_server.tracker("ana")
    assert refused.value.status == 409


def test_training_sends_the_archive_with_its_name(empty_server):
    with empty_server.train(DOCUMENT) as trained:
        assert trained.filename.endswith(".tar.gz")
        assert read_all(trained).startswith(b"\x1f\x8b")


def test_bad_training_data_is_refused_in_rasas_words(empty_server):
    with pytest.raises(rasa.RasaRefused) as refused, empty_server.train(b"nlu: [unclosed"):
        pass
    assert refused.value.status == 400
    assert refused.value.message


def test_a_training_that_stops_is_a_training_error(empty_server):
    broken = DOCUMENT.replace(
        b"- name: WhitespaceTokenizer\n- name: KeywordIntentClassifier", b"- name: NoSuchComponent"
    )
    with pytest.raises(rasa.RasaRefused) as refused, empty_server.train(broken):
        pass
    assert (refused.value.status, refused.value.reason) == (500, "TrainingError")


def test_a_loaded_server_answers(fake_rasa):
    fake_rasa.load(model_id="abc", model_file="otter.tar.gz")
    client = RasaClient(fake_rasa.url)
    assert client.status() == rasa.Status("otter.tar.gz", "abc")
    assert client.send_message("ana", "hi") == [{"recipient_id": "ana", "text": "Hello"}]
    assert client.tracker("a/b?c")["sender_id"] == "a/b?c"


def test_the_token_goes_in_the_query(fake_rasa):
    fake_rasa.token = "sesame"
    assert RasaClient(fake_rasa.url, "sesame").status() is None
    with pytest.raises(rasa.RasaRefused) as refused:
        RasaClient(fake_rasa.url, "wrong").status()
    assert refused.value.status == 401


def test_the_server_is_asked_to_keep_no_copy_of_what_it_trains(fake_rasa):
    with RasaClient(fake_rasa.url).train(DOCUMENT):
        pass
    assert fake_rasa.requests[0][2] == {"save_to_default_model_directory": "false"}


def test_no_token_in_errors_or_logs(fake_rasa, caplog):
    caplog.set_level(logging.DEBUG)
    down = RasaClient("http://127.0.0.1:1", "sesame")
    odd = RasaClient("http://[nonsense", "sesame")
    fake_rasa.override = (500, {}, b"?token=sesame")
    failing = RasaClient(fake_rasa.url, "sesame")
    for client in (down, odd, failing):
        with pytest.raises(rasa.RasaError) as failed:
            client.status()
        assert "sesame" not in str(failed.value) + repr(failed.value.__cause__) + repr(client)
        assert failed.value.__suppress_context__ or failed.value.__context__ is None
    assert "sesame" not in caplog.text


def test_a_server_that_is_away_is_unreachable():
    with pytest.raises(rasa.RasaUnreachable, match="No connection"):
        RasaClient("http://127.0.0.1:1").version()


def test_redirects_are_not_followed(fake_rasa):
    fake_rasa.override = (302, {"Location": "http://169.254.169.254/"}, b"")
    with pytest.raises(rasa.RasaRefused, match="redirect") as refused:
        RasaClient(fake_rasa.url).version()
    assert refused.value.status == 302
    assert len(fake_rasa.requests) == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"version": 3}', b"[" * 100_000])
def test_an_answer_that_is_not_rasas_is_told_apart_and_not_repeated(fake_rasa, body):
    fake_rasa.override = (200, {}, body)
    with pytest.raises(rasa.NotRasa) as failed:
        RasaClient(fake_rasa.url).version()
    assert "html" not in str(failed.value)


def test_a_body_without_end_is_cut_off(fake_rasa):
    fake_rasa.override = (200, {}, b" " * (rasa.MAX_SMALL_BODY + 1))
    with pytest.raises(rasa.NotRasa, match="larger"):
        RasaClient(fake_rasa.url).version()


def test_an_archive_that_breaks_off_is_no_archive(fake_rasa):
    fake_rasa.cut_archive_at = 10
    with (
        RasaClient(fake_rasa.url).train(DOCUMENT) as trained,
        pytest.raises(rasa.RasaUnreachable, match="broke off"),
    ):
        read_all(trained)
