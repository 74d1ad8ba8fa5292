"""The Rasa client: one contract for the fake and for a real server, then what only a fake can do wrong."""

import json
import logging

import pytest

from environments.clients import rasa
from environments.clients.rasa import RasaClient
from tests.live import wait_until
from tests.model_server import ArchiveServer

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


# Tests of models. What a real server says differs in its words alone, so the same is asked of both.

NLU = b"""
version: "3.1"
nlu:
- intent: greet
  examples: |
    - hi there
    - good day
- intent: bye
  examples: |
    - bye now
"""
STORIES = b"""
version: "3.1"
stories:
- story: greeted
  steps:
  - user: |
      hi there
    intent: greet
  - action: utter_greet
"""


@pytest.fixture(scope="module")
def archive_server():
    """Serves what is put into `.archives`, by name, as a model server does."""
    with ArchiveServer() as server:
        yield server


@pytest.fixture(scope="module")
def real_puller(start_rasa, archive_server):
    """A real server with a `models:` endpoint, which has nothing for it yet."""
    endpoints = f"models:\n  url: {archive_server.url}/served\n  wait_time_between_pulls: 1\n"
    server = start_rasa(endpoints=endpoints, token="the-token-of-the-test")
    server.wait()
    with RasaClient(server.url, server.token).train(DOCUMENT) as trained:
        archive_server.archives["other"] = read_all(trained)
    return server


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.rasa)])
def puller(request, archive_server) -> RasaClient:
    """A server without a model of its own that can take one by URL."""
    if request.param == "fake":
        fake = request.getfixturevalue("fake_rasa")
        fake.takes = lambda url: url.endswith("/other")
        fake.predict = lambda url, text, intent: "" if text == "good day" else intent
        return RasaClient(fake.url, fake.token)
    server = request.getfixturevalue("real_puller")
    return RasaClient(server.url, server.token)


def test_a_model_is_tested_by_its_url_beside_the_loaded_one(puller, archive_server):
    loaded = puller.status()
    answer = puller.test_intents(NLU, model=f"{archive_server.url}/other")
    evaluation = answer["intent_evaluation"]
    found = [(one["text"], one["intent"], one["predicted"]) for one in evaluation["predictions"]]
    assert found == [("hi there", "greet", "greet"), ("good day", "greet", ""), ("bye now", "bye", "bye")]
    assert evaluation["report"]["greet"] | {"confused_with": {}} == {
        "precision": 1.0,
        "recall": 0.5,
        "f1-score": 2 / 3,
        "support": 2,
        "confused_with": {},
    }
    assert evaluation["f1_score"] == pytest.approx(evaluation["report"]["weighted avg"]["f1-score"])
    assert evaluation["accuracy"] == pytest.approx(2 / 3)
    assert evaluation["errors"][0]["intent_prediction"]["name"] == ""
    assert answer["response_selection_evaluation"] is None
    assert puller.status() == loaded


def test_a_model_that_is_not_there_is_told_without_words(puller, archive_server):
    with pytest.raises(rasa.RasaRefused) as refused:
        puller.test_intents(NLU, model=f"{archive_server.url}/absent")
    assert (refused.value.status, refused.value.reason) == (500, "TestingError")
    assert refused.value.model_was_missing


def test_a_server_without_an_endpoint_for_models_takes_no_url(empty_server, request):
    if "fake" in request.node.callspec.id:
        request.getfixturevalue("fake_rasa").takes = lambda url: False
    with pytest.raises(rasa.RasaRefused) as refused:
        empty_server.test_intents(NLU, model="http://127.0.0.1:9/other")
    assert refused.value.model_was_missing


def test_one_intent_alone_is_not_tested(puller, archive_server):
    answer = puller.test_intents(NLU.partition(b"- intent: bye")[0], model=f"{archive_server.url}/other")
    assert answer["intent_evaluation"] is None


def test_json_holds_no_examples_for_rasa(puller, archive_server):
    document = json.dumps({"nlu": [{"intent": name, "examples": f"- {name}"} for name in ("greet", "bye")]}).encode()
    assert puller.test_intents(document, model=f"{archive_server.url}/other")["intent_evaluation"] is None


def test_a_cross_validation_tells_no_f1(empty_server):
    evaluation = empty_server.test_intents(DOCUMENT, folds=2)["intent_evaluation"]
    assert evaluation["f1_score"] is None
    assert set(evaluation) == {"report", "precision", "f1_score", "errors"}
    assert evaluation["report"]["weighted avg"]["support"] == 4


def test_test_data_that_is_no_yaml_is_refused(empty_server):
    with pytest.raises(rasa.RasaRefused) as refused:
        empty_server.test_intents(b"nlu: [")
    assert (refused.value.status, refused.value.reason) == (400, "BadRequest")


def test_stories_need_a_loaded_model(empty_server):
    with pytest.raises(rasa.RasaRefused) as refused:
        empty_server.test_stories(STORIES)
    assert refused.value.status == 409


def test_stories_are_tested_on_the_loaded_model(puller, archive_server, request):
    archive_server.archives["served"] = archive_server.archives.get("other", b"")
    if "fake" in request.node.callspec.id:
        request.getfixturevalue("fake_rasa").load(model_id="abc")
    wait_until(lambda: puller.status() is not None, 60, "a loaded model")
    answer = puller.test_stories(STORIES)
    assert answer["accuracy"] == 1.0
    assert answer["is_end_to_end_evaluation"] is True
    assert answer["actions"][0] == {
        "action": "utter_greet",
        "predicted": "utter_greet",
        "policy": "RulePolicy",
        "confidence": 1.0,
    }


def test_a_report_that_is_none_is_not_rasas(fake_rasa):
    fake_rasa.test_override = (200, {}, b"[]")
    with pytest.raises(rasa.NotRasa):
        RasaClient(fake_rasa.url).test_intents(NLU)


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


def test_what_a_server_says_can_be_stored(fake_rasa):
    said = {"status": "failure", "reason": "TrainingError", "message": "half \ud83d of it\0"}
    fake_rasa.override = (500, {}, json.dumps(said).encode())
    with pytest.raises(rasa.RasaRefused) as refused:
        RasaClient(fake_rasa.url).version()
    assert refused.value.message == "half ? of it\ufffd"


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
