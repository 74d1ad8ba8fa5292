"""What a real Rasa makes of the generated endpoints.yml and credentials.yml, and of the program that starts it."""

import json
import os
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane import rasa_install
from environments.compose import rasa_files
from environments.errors import EnvironmentsFileInvalid
from tests import services
from tests.deploying import declared, service
from tests.model_server import ArchiveServer

pytestmark = pytest.mark.rasa

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.one_of(
    st.text(LETTERS, max_size=20),
    st.text("'\"$\\u0041\n\t:#{}[]&*!|>%@`-?, ~😀é\u2028\x85\x1b", max_size=12),
    st.sampled_from(["", "yes", "null", "1", "0x10", "1:30", "$A", "\\u0041", " a ", "a\n", "!env_var"]),
).filter(lambda text: "${" not in text)
PYTHON = str(rasa_install.python_of(services.RASA_HOME))
MODEL = Path(__file__).parents[2] / "data" / "rasa-3.6.21.tar.gz"
MIXED = LETTERS.filter(lambda letter: letter not in "$\r\n")
VALUES = TEXTS.filter(str.strip)


class Reader:
    def __init__(self):
        self.process = subprocess.Popen(
            [PYTHON, "-I", Path(__file__).parents[2] / "rasa_reader.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def read(self, path, variables=None, sections=()):
        asked = {"path": str(path), "variables": variables or {}, "sections": list(sections)}
        self.process.stdin.write(f"{json.dumps(asked)}\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "refused" not in answer, answer
        return answer


@pytest.fixture(scope="module")
def rasa():
    reader = Reader()
    yield reader
    with reader.process:
        reader.process.stdin.close()


def test_a_server_pulls_with_its_own_token_and_name(rasa, tmp_path):
    found = service(pull_interval=5.0, tag="production", name="worker", project="banking")
    path = tmp_path / "endpoints.yml"
    path.write_text(rasa_files.finished(found.endpoints))
    variables = {"CONTROLPLANE_TOKEN_BANKING__WORKER": "cps_1_x", "HOSTNAME": "0123456789ab", "RASA_DB_PASSWORD": "a$b"}
    read = rasa.read(path, variables, ["models", "tracker_store"])["sections"]
    assert read["models"]["url"] == "http://web:5002/api/projects/banking/models/tags/production"
    assert read["models"]["headers"] == {"Authorization": "Bearer cps_1_x"}
    assert read["models"]["params"] == {"environment": "worker", "replica": "0123456789ab"}
    assert read["models"]["wait_time_between_pulls"] == 5
    store = read["tracker_store"]
    assert (store["type"], store["url"], store["db"]) == ("SQL", "postgres", "rasa_banking__worker")
    assert store["password"] == "a$b"


def test_a_server_that_pulls_once_has_no_interval(rasa, tmp_path):
    path = tmp_path / "endpoints.yml"
    path.write_text(rasa_files.finished(service(pulls_once=True, endpoints={"tracker_store": None}).endpoints))
    variables = {"CONTROLPLANE_TOKEN_PRODUCTION": "x", "HOSTNAME": "h"}
    assert rasa.read(path, variables, ["models"])["sections"]["models"]["wait_time_between_pulls"] is None


@given(values=st.lists(VALUES, min_size=10, max_size=30))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large])
def test_rasa_reads_every_value_as_it_was_declared(rasa, values, tmp_path):
    """Of any text: no variable is in it, so none is filled in."""
    names = {f"key{number}": text for number, text in enumerate(values)}
    sections = {
        "tracker_store": {"type": "my.Store", "nested": {text: number for number, text in enumerate(values)}, **names},
        "nlg": {"url": "http://nlg", "headers": names},
        "event_broker": {"type": "pika", "url": "rabbitmq", "username": "u", "password": "p", "queues": values},
    }
    found = service(endpoints=sections, credentials={"own.Channel": {**names, "list": values, "flag": True, "n": 1.5}})
    path = tmp_path / "endpoints.yml"
    path.write_text(rasa_files.finished(found.endpoints))
    variables = {"CONTROLPLANE_TOKEN_PRODUCTION": "x", "HOSTNAME": "h", "A": "of the process"}
    read = rasa.read(path, variables, ["nlg"])
    assert {name: read["values"][name] for name in sections} == sections
    assert read["sections"]["nlg"]["headers"] == names
    path.write_text(rasa_files.finished(found.credentials))
    assert rasa.read(path)["values"] == {"rest": None, "own.Channel": {**names, "list": values, "flag": True, "n": 1.5}}


def with_variable(text):
    """A header with a variable at its end, and one with a variable at its begin: the service, or why it is refused."""
    section = json.dumps({"url": "http://nlg", "headers": {"X": f"{text}${{V}}", "Y": f"${{V}}{text}"}})
    url = "url: 'http://rasa-production:5005', token: '${RASA_TOKEN}'"
    try:
        return declared(f"rasa: {{production: {{{url}, endpoints: {{nlg: {section}}}}}}}").services[0], ""
    except EnvironmentsFileInvalid as refused:
        return None, str(refused)


@given(values=st.lists(st.text(MIXED, max_size=12), min_size=5, max_size=10))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_may_be_mixed_with_a_variable_is_filled_in_and_the_rest_is_refused(rasa, values, tmp_path):
    secret = "it's #1: {$}"
    variables = {"CONTROLPLANE_TOKEN_PRODUCTION": "x", "HOSTNAME": "h", "RASA_DB_PASSWORD": "p", "V": secret}
    path = tmp_path / "endpoints.yml"
    for value in values:
        found, why = with_variable(value)
        if found is None:
            assert any(reason in why for reason in ("mixes a variable", "a NUL", "YAML does not allow"))
            continue
        path.write_text(rasa_files.finished(found.endpoints))
        read = rasa.read(path, variables, ["nlg"])["sections"]["nlg"]
        assert read["headers"] == {"X": f"{value}{secret}", "Y": f"{secret}{value}"}


@pytest.mark.parametrize("text", ["Bearer", "https://u", "a.b/c?d=", "x=", "ünï_"])
def test_what_people_write_round_a_variable_is_taken(text):
    assert with_variable(text)[0] is not None


# The program that starts a server, and the one that tells whether it has a model.


def wait_until(holds, seconds=240):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.3)


@contextmanager
def started(folder, found, variables):
    """The server, as its container starts it but for the places of its files."""
    (folder / "endpoints.yml").write_text(rasa_files.finished(found.endpoints))
    (folder / "credentials.yml").write_text(rasa_files.finished(found.credentials))
    files = {f"/etc/rasa/{name}": str(folder / name) for name in ("endpoints.yml", "credentials.yml")}
    arguments = [files.get(part, part) for part in found.definition["command"]]
    command = [PYTHON, *found.definition["entrypoint"][1:], *arguments]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, env=variables, cwd=folder, stdout=log, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()


def test_a_server_comes_up_alone_shows_no_secret_and_is_healthy_once_it_has_a_model(tmp_path):
    """Its secrets look like options, as made ones may."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    found = service(url=f"http://rasa:{port}", pull_interval=1.0, endpoints={"tracker_store": None})
    secrets = {"RASA_TOKEN": "-s3cret &", "JWT_SECRET": "--another", "CONTROLPLANE_TOKEN_PRODUCTION": "third"}
    variables = {**os.environ, **secrets, "HOSTNAME": "h", "RASA_TELEMETRY_ENABLED": "false"}
    check = [PYTHON, *found.definition["healthcheck"]["test"][2:]]

    def is_healthy():
        return subprocess.run(check, env=variables, capture_output=True, check=False).returncode == 0

    with ArchiveServer() as control_plane:
        text = found.endpoints.replace(rasa_files.CONTROL_PLANE, control_plane.url)
        with started(tmp_path, replace(found, endpoints=text), variables) as process:
            wait_until(lambda: answers(url) or process.poll() is not None)
            assert process.poll() is None, (tmp_path / "log").read_text()
            shown = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
            assert not any(secret in shown for secret in secrets.values())
            assert httpx.get(f"{url}/status").status_code == 401
            assert not is_healthy()
            control_plane.archives["api/projects/default/models/tags/production"] = MODEL.read_bytes()
            wait_until(is_healthy)
            assert httpx.get(f"{url}/status", params={"token": secrets["RASA_TOKEN"]}).json()["model_id"]


def answers(url):
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False
