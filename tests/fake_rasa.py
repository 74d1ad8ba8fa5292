"""A Rasa server to test against: a real HTTP server on a free port that answers as a stock Rasa 3.6 does.

The contract test (`tests/environments/clients/test_rasa.py`) holds it to the real one.
"""

import gzip
import io
import json
import tarfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from environments import examples, scores
from environments.rasa_reports import base

VERSION = "3.6.21"


def small_archive(model_id: str | None = None) -> bytes:
    """A servable archive of a few hundred bytes; another one at each call."""
    metadata = {
        "domain": {"intents": ["greet"], "responses": {"utter_greet": [{"text": "Hello"}]}},
        "trained_at": "2026-03-01T10:00:00.000000",
        "model_id": model_id or uuid.uuid4().hex,
        "assistant_id": "fake",
        "rasa_open_source_version": VERSION,
        "train_schema": {"nodes": {}},
        "predict_schema": {"nodes": {}},
        "training_type": 3,
        "project_fingerprint": "0" * 32,
        "core_target": "select_prediction",
        "nlu_target": "run_RegexMessageHandler",
        "language": "en",
        "spaces": None,
    }
    text = json.dumps(metadata).encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        root = tarfile.TarInfo("")
        root.type, root.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(root)
        member = tarfile.TarInfo("metadata.json")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    return gzip.compress(packed.getvalue())


@dataclass
class FakeRasa:
    """What the server says; change it while it runs. `requests` are (method, path, query, body) as they came."""

    token: str = ""
    version: str = VERSION
    minimum_compatible_version: str = "3.6.21"
    model_file: str = ""
    model_id: str = ""
    answers: list[dict[str, Any]] = field(default_factory=lambda: [{"text": "Hello"}])
    # What it understands: the intent, how sure it is, and the entities.
    understand: Callable[[str], tuple[str, float, list[dict[str, Any]]]] = lambda text: ("greet", 0.9, [])
    # How long an answer takes, and what was said so far, by sender.
    chat_seconds: float = 0.0
    talking: int = 0
    most_talking: int = 0
    # Refuses to tell any of it.
    no_tracker: bool = False
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    filename: str = "20260301-100000-brisk-otter.tar.gz"
    archive: bytes = field(default_factory=small_archive)
    # Answers every request so instead: (status, headers, body).
    override: tuple[int, dict[str, str], bytes] | None = None
    # The same for trainings alone.
    train_override: tuple[int, dict[str, str], bytes] | None = None
    # How long a training takes, and whether each makes another archive.
    train_seconds: float = 0.0
    always_new: bool = False
    # A training lasts until it is set.
    held: threading.Event | None = None
    training: int = 0
    most_training: int = 0
    # Answers that nobody waited for.
    broken: int = 0
    # The second half of an archive comes when it is set.
    archive_held: threading.Event | None = None
    # Sends this many bytes of the archive, then hangs up.
    cut_archive_at: int | None = None
    # Whether the server has a `models:` endpoint and loads the model of that URL for a test.
    takes: Callable[[str], bool] = lambda url: True
    # What the model of a URL ("": the loaded one) makes of a text whose intent is the last argument.
    predict: Callable[[str, str, str], str] = lambda url, text, intent: intent
    # Answers tests so instead, and how long a test takes.
    test_override: tuple[int, dict[str, str], bytes] | None = None
    test_seconds: float = 0.0
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def load(self, *, model_id: str, model_file: str = "model.tar.gz") -> None:
        self.model_id, self.model_file = model_id, model_file

    def start(self) -> None:
        handler = type("Handler", (_Handler,), {"fake": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> "FakeRasa":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _training_problem(body: bytes) -> tuple[int, str, str] | None:
    """(status, reason, message) as Rasa gives them for a document that cannot be trained on."""
    try:
        document = YAML(typ="safe", pure=True).load(body.decode())
    except YAMLError as error:
        return 400, "BadRequest", f"The request body does not contain valid YAML. Error: {error}"
    known = {"nlu", "stories", "rules", "intents", "responses", "pipeline", "policies"}
    if not isinstance(document, dict) or not known & set(document):
        return 400, "BadRequest", "The training data has none of the known keys."
    if document.get("pipeline") == [{"name": "NoSuchComponent"}]:
        return 500, "TrainingError", "An unexpected error occurred during training. Error: no such component."
    return None


def _yaml(body: bytes) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(body.decode())
    except YAMLError:
        return None


def _report(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """As scikit-learn gives it, with what Rasa adds."""
    by_label = scores.by_label(Counter(pairs))
    averages = {"weighted avg": scores.weighted(by_label)}
    report: dict[str, Any] = {
        name: {"precision": score.precision, "recall": score.recall, "f1-score": score.f1, "support": score.support}
        for name, score in [*by_label.items(), *averages.items()]
    }
    return report | {"accuracy": scores.accuracy(Counter(pairs))}


def _events(fake: FakeRasa, text: str) -> list[dict[str, Any]]:
    """What a tracker tells of a message and the answers to it."""
    now, metadata = time.time(), {"model_id": fake.model_id, "assistant_id": "fake"}
    intent, confidence, entities = fake.understand(text)
    understood = {"name": intent, "confidence": confidence}
    parsed = {"intent": understood, "entities": entities, "text": text, "intent_ranking": [understood]}
    user = {"event": "user", "text": text.strip(), "parse_data": parsed, "input_channel": "rest"}
    acted = {"event": "action", "name": f"utter_{intent}", "policy": "RulePolicy", "confidence": 1.0}
    slots = [{"event": "slot", "name": one["entity"], "value": one["value"]} for one in entities]
    data = dict.fromkeys(("elements", "quick_replies", "buttons", "attachment", "image", "custom"))
    said = [
        {"event": "bot", "text": answer.get("text"), "data": data | _without(answer, "text")} for answer in fake.answers
    ]
    listens = {"event": "action", "name": "action_listen", "policy": "RulePolicy", "confidence": 1.0}
    return [{"timestamp": now, "metadata": metadata, **one} for one in (user, *slots, acted, *said, listens)]


def _without(answer: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in names}


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def _nlu_report(document: Any, predict: Callable[[str, str], str], *, folded: bool) -> dict[str, Any]:
    """Intents are tested where there are two; of a cross-validation only what is wrong is told, and no F1."""
    tested = [(example.plain, base(example.intent)) for example in examples.read(document.get("nlu"))]
    answer: dict[str, Any] = dict.fromkeys(("entity_evaluation", "response_selection_evaluation"))
    if len({intent for _, intent in tested}) < 2:
        return {"intent_evaluation": None, **answer}
    found = [(text, intent, predict(text, intent)) for text, intent in tested]
    report = _report([(intent, predicted) for _, intent, predicted in found])
    sure = 0.9
    wrong = [
        {"text": text, "intent": intent, "intent_prediction": {"name": predicted, "confidence": sure}}
        for text, intent, predicted in found
        if intent != predicted
    ]
    average = report["weighted avg"]
    evaluation = {"report": report, "precision": average["precision"], "f1_score": None, "errors": wrong}
    if folded:
        nothing = {"report": {}, "precision": None, "f1_score": None, "errors": []}
        return {"intent_evaluation": evaluation, **dict.fromkeys(answer, nothing)}
    predictions = [
        {"text": text, "intent": intent, "predicted": predicted, "confidence": sure}
        for text, intent, predicted in found
    ]
    whole = {"f1_score": average["f1-score"], "accuracy": report["accuracy"], "predictions": predictions}
    return {"intent_evaluation": {**evaluation, **whole}, **answer}


def _story_report(actions: list[str]) -> dict[str, Any]:
    """Every action right."""
    report = _report([(action, action) for action in actions])
    told = [{"action": action, "predicted": action, "policy": "RulePolicy", "confidence": 1.0} for action in actions]
    figures = {"precision": 1.0, "f1": 1.0, "accuracy": 1.0, "in_training_data_fraction": 0.0}
    return {"report": report, **figures, "actions": told, "is_end_to_end_evaluation": True}


class _Handler(BaseHTTPRequestHandler):
    fake: FakeRasa
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the test's standard error."""

    def _answer(self) -> None:
        fake, parts = self.fake, urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fake.requests.append((self.command, unquote(parts.path), query, body))
        if fake.override:
            self._send(*fake.override)
        elif parts.path == "/":
            self._send(200, {"Content-Type": "text/plain"}, b"Hello from Rasa: 3.6.21")
        elif parts.path == "/version":
            self._json(200, {"version": fake.version, "minimum_compatible_version": fake.minimum_compatible_version})
        elif parts.path == "/webhooks/rest/webhook":
            self._messages(json.loads(body))
        elif fake.token and query.get("token") != fake.token:
            self._failure(401, "NotAuthenticated", "User is not authenticated.")
        elif parts.path == "/model/train":
            self._train(body)
        elif parts.path == "/model/test/intents":
            self._test(query, body)
        elif not fake.model_id:
            self._failure(409, "Conflict", "No agent loaded. To continue processing, a model must be loaded.")
        else:
            self._answer_with_a_model(parts.path, body)

    def _answer_with_a_model(self, path: str, body: bytes) -> None:
        if path == "/status":
            loaded = {"model_file": self.fake.model_file, "model_id": self.fake.model_id}
            self._json(200, {**loaded, "num_active_training_jobs": self.fake.training})
        elif path == "/model/test/stories":
            self._test_stories(body)
        elif path.startswith("/conversations/") and path.endswith("/tracker") and not self.fake.no_tracker:
            sender = unquote(path.split("/")[2])
            self._json(200, {"sender_id": sender, "slots": {}, "events": self.fake.events.get(sender, [])})
        else:
            self._failure(404, "NotFound", "Requested URL not found.")

    def _messages(self, message: dict[str, Any]) -> None:
        with self.fake.lock:
            self.fake.talking += 1
            self.fake.most_talking = max(self.fake.most_talking, self.fake.talking)
        time.sleep(self.fake.chat_seconds)
        with self.fake.lock:
            self.fake.talking -= 1
        answers = [{"recipient_id": message["sender"], **answer} for answer in self.fake.answers]
        if self.fake.model_id:
            self.fake.events.setdefault(message["sender"], []).extend(_events(self.fake, message["message"]))
        self._json(200, answers if self.fake.model_id else [])

    def _train(self, document: bytes) -> None:
        if self.fake.train_override:
            self._send(*self.fake.train_override)
            return
        problem = _training_problem(document)
        if problem:
            self._failure(*problem)
            return
        self._work()
        archive = small_archive() if self.fake.always_new else self.fake.archive
        self._send(200, {"filename": self.fake.filename}, archive, cut=self.fake.cut_archive_at)

    def _test(self, query: dict[str, str], body: bytes) -> None:
        """Without the right Content-Type a server takes the body for JSON and fails with a page."""
        time.sleep(self.fake.test_seconds)
        model, folds = query.get("model", ""), query.get("cross_validation_folds")
        document = _yaml(body)
        if self.fake.test_override:
            self._send(*self.fake.test_override)
        elif self.headers.get("Content-Type") != "application/x-yaml":
            self._send(400, {"Content-Type": "text/html"}, b"<h1>Failed when parsing body as json</h1>")
        elif document is None:
            self._failure(400, "BadRequest", "The request body does not contain valid YAML. Error: oops")
        elif folds and "pipeline" not in document:
            self._failure(500, "TestingError", "An unexpected error occurred during evaluation. Error: no pipeline")
        elif not folds and not (self.fake.takes(model) if model else self.fake.model_id):
            self._failure(500, "TestingError", "An unexpected error occurred during evaluation. Error: ")
        else:
            # JSON is YAML too, but a server takes it for another format and finds no examples.
            document = {} if _is_json(body) else document
            self._json(200, _nlu_report(document, lambda *one: self.fake.predict(model, *one), folded=bool(folds)))

    def _test_stories(self, body: bytes) -> None:
        if self.fake.test_override:
            self._send(*self.fake.test_override)
        else:
            steps = [step for story in _yaml(body)["stories"] for step in story["steps"] if "action" in step]
            self._json(200, _story_report([step["action"] for step in steps]))

    def _work(self) -> None:
        fake, held = self.fake, self.fake.held
        with fake.lock:
            fake.training += 1
            fake.most_training = max(fake.most_training, fake.training)
        time.sleep(fake.train_seconds)
        if held is not None:
            held.wait(60)
        with fake.lock:
            fake.training -= 1

    @contextmanager
    def _counted_if_broken(self) -> Iterator[None]:
        try:
            yield
        except ConnectionError:
            self.fake.broken += 1

    def _failure(self, status: int, reason: str, message: str) -> None:
        body = {"version": self.fake.version, "status": "failure", "message": message, "reason": reason}
        self._json(status, {**body, "details": {}, "help": None, "code": status})

    def _json(self, status: int, document: Any) -> None:
        self._send(status, {"Content-Type": "application/json"}, json.dumps(document).encode())

    def _send(self, status: int, headers: dict[str, str], body: bytes, cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        # Whoever asked may have been killed.
        with self._counted_if_broken():
            self.end_headers()
            if self.fake.archive_held is not None and "filename" in headers:
                self.wfile.write(body[: len(body) // 2])
                body = body[len(body) // 2 :]
                self.fake.archive_held.wait(60)
            self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True
