"""`make audit`: a known vulnerability fails it, and so does whatever it could not check."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.live import ROOT, free_port

LOCKS = {"requirements.lock", "requirements-dev.lock", "requirements-uv.lock"}
KNOWN = {
    "id": "TEST-2026-1",
    "summary": "for tests",
    "affected": [
        {
            "package": {"name": "uv", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
        }
    ],
}
# pip-audit with a service that knows no package, as the default one answers for what it has not.
UNKNOWN = """
import sys
from pip_audit import _cli
from pip_audit._service import SkippedDependency
from pip_audit._service.pypi import PyPIService
PyPIService.query = lambda self, spec: (SkippedDependency(spec.name, "not known"), [])
_cli.audit()
"""


class Service(BaseHTTPRequestHandler):
    """Speaks as an OSV server does."""

    known: dict[str, list[object]] = {}
    status = 200

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = self.known.get(asked["package"]["name"], [])
        body = json.dumps({"vulns": found} if found else {}).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def service():
    """Start one that knows of these and answers with this status; its address."""
    servers = []

    def start(known=None, status=200):
        handler = type("Asked", (Service,), {"known": known or {}, "status": status})
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/v1/query"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def audit(*variables, locks="requirements-uv.lock"):
    """`make audit` with an environment that is as it is."""
    named = [*variables, *([f"AUDITED={locks}"] if locks else [])]
    command = ["make", "-o", ".venv/.installed", "audit", *named]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def asking(url):
    return f"AUDIT=--vulnerability-service osv --osv-url {url}"


def test_it_passes_where_the_service_knows_of_nothing(service):
    done = audit(asking(service()))
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_fails_on_a_known_vulnerability(service):
    done = audit(asking(service({"uv": [KNOWN]})))
    assert done.returncode != 0
    assert "TEST-2026-1" in done.stdout


@pytest.mark.parametrize("status", [404, 500])
def test_it_fails_where_the_service_gives_no_answer(service, status):
    assert audit(asking(service(status=status))).returncode != 0


def test_it_fails_where_the_service_cannot_be_reached():
    assert audit(asking(f"http://127.0.0.1:{free_port()}/v1/query")).returncode != 0


def test_it_fails_on_a_package_that_the_service_does_not_know(tmp_path):
    program = tmp_path / "pip-audit"
    program.write_text(f"#!{sys.executable}\n{UNKNOWN}")
    program.chmod(0o755)
    done = audit(f"BIN={tmp_path}")
    assert done.returncode != 0
    assert "not known" in done.stdout + done.stderr


def test_it_audits_each_lock_file_and_ends_at_the_first_that_fails(tmp_path):
    program = tmp_path / "pip-audit"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ ! -e {tmp_path}/fails ]\n')
    program.chmod(0o755)
    assert audit(f"BIN={tmp_path}", locks="").returncode == 0
    asked = [line.split() for line in (tmp_path / "asked").read_text().splitlines()]
    assert {words[-1] for words in asked} == LOCKS
    assert all("--strict" in words for words in asked)
    (tmp_path / "fails").touch()
    assert audit(f"BIN={tmp_path}", locks="").returncode != 0
    assert len((tmp_path / "asked").read_text().splitlines()) == len(LOCKS) + 1
