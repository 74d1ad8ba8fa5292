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
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

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
    filename: str = "20260301-100000-brisk-otter.tar.gz"
    archive: bytes = field(default_factory=small_archive)
    # Answers every request so instead: (status, headers, body).
    override: tuple[int, dict[str, str], bytes] | None = None
    # The same for trainings alone.
    train_override: tuple[int, dict[str, str], bytes] | None = None
    # How long a training takes, and whether each makes another archive.
    train_seconds: float = 0.0
    always_new: bool = False
    # Sends this many bytes of the archive, then hangs up.
    cut_archive_at: int | None = None
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

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
        elif parts.path == "/status" and fake.model_id:
            loaded = {"model_file": fake.model_file, "model_id": fake.model_id, "num_active_training_jobs": 0}
            self._json(200, loaded)
        elif not fake.model_id:
            self._failure(409, "Conflict", "No agent loaded. To continue processing, a model must be loaded.")
        elif parts.path.startswith("/conversations/") and parts.path.endswith("/tracker"):
            self._json(200, {"sender_id": unquote(parts.path.split("/")[2]), "slots": {}, "events": []})
        else:
            self._failure(404, "NotFound", "Requested URL not found.")

    def _messages(self, message: dict[str, Any]) -> None:
        answers = [{"recipient_id": message["sender"], **answer} for answer in self.fake.answers]
        self._json(200, answers if self.fake.model_id else [])

    def _train(self, document: bytes) -> None:
        if self.fake.train_override:
            self._send(*self.fake.train_override)
            return
        problem = _training_problem(document)
        if problem:
            self._failure(*problem)
            return
        time.sleep(self.fake.train_seconds)
        archive = small_archive() if self.fake.always_new else self.fake.archive
        self._send(200, {"filename": self.fake.filename}, archive, cut=self.fake.cut_archive_at)

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
        with suppress(ConnectionError):
            self.end_headers()
            self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True
