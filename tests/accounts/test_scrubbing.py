"""No log of any process holds a secret: by shape, by name, by value; in messages, arguments and tracebacks."""

import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time

import pytest

from accounts import scrubbing
from accounts.scrubbing import HIDDEN, Formatter, scrub, scrub_shapes
from controlplane.supervisor import Program, Supervisor
from tests.live import ROOT

SECRET = "Hj3kq9-Zx_81bbTtu0pLmQ"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJ1c2VybmFtZSI6ImFuYSJ9.c2lnbmF0dXJl"
TOKEN = f"cpt_{SECRET}{SECRET[:21]}"


@pytest.mark.parametrize(
    "text",
    [
        f"GET /api/models?token={SECRET}&limit=1",
        f"GET /api/models?api_token={SECRET}",
        f"/x?next=%2Fapi%3Ftoken%3D{SECRET}%26limit%3D1",
        f"access_token={SECRET}",
        f"password={SECRET}, user=ana",
        f"host=db password='{SECRET} x' dbname=name",
        f"AWS_SECRET_ACCESS_KEY={SECRET}",
        f"AZURE_ACCOUNT_KEY={SECRET}==",
        json.dumps({"password": f"{SECRET} x", "user": "ana"}),
        json.dumps({"password": f'{SECRET}"x'}),
        json.dumps(json.dumps({"secret": SECRET})),
        str({"token": SECRET, "b": 1}),
        repr({"jwt_secret": f"it's {SECRET}"}),
        f"  token: {SECRET}\n  url: http://rasa:5005",
        f"Authorization: Bearer {SECRET}",
        f"Proxy-Authorization: Basic {SECRET}==",
        str({"HTTP_AUTHORIZATION": f"Digest user, {SECRET}"}),
        str([("authorization", f"Bearer {SECRET}")]),
        f"a Bearer {SECRET} was sent",
        f"Cookie: theme=dark; sessionid={SECRET}",
        f"Set-Cookie: csrftoken={SECRET}; Path=/",
        f"sessionid={SECRET}",
        str({"Cookie": f"a=b; sessionid={SECRET}"}),
        TOKEN,
        f"no model {TOKEN}",
        f"cps_12_{SECRET}",
        JWT,
        f"redis://:{SECRET}@cache:6379/1",
        f"postgres://u:{SECRET}@db:5432/name",
        f"amqp://guest:{SECRET}@b@rabbit//",
        f"/guest/conversations/production/{SECRET}",
        f"https://control.example.com/invitation/MQ/{SECRET}/",
        f"/reset/MQ/{SECRET}/?x=1",
        f"pbkdf2_sha256$1000000${SECRET}$x",
        f"argon2$argon2id$v=19$m=102400,t=2,p=8${SECRET}$x",
        f"gAAAAAB{SECRET}{SECRET}==",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_a_secret_is_hidden_by_its_shape_or_the_name_before_it(text):
    scrubbed = scrub(text)
    assert HIDDEN in scrubbed
    for part in (SECRET, JWT, "c2lnbmF0dXJl"):
        assert part not in scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "INFO environments.serving.listening: the promotion to production was proved by 2 replicas",
        "password: This field may not be blank.",
        "Send an API token (cpt_…) in the header, or ?token=",
        'WWW-Authenticate: Bearer realm="controlplane"',
        "GET http://rasa:5005/status?include=all#x, at 10:30:01",
        "the tokens of 3 people were revoked",
        "cpt_Hj3kq9",
        "task workers.tasks.training[0b5c9d1e-2a3f-4b5c-8d7e-9f0a1b2c3d4e]",
        "/p/default/environments/production/connect/",
        "redis://guest@cache:6379/1",
    ],
)
def test_what_is_no_secret_stays(text):
    assert scrub(text) == text


def test_what_stands_around_a_secret_stays():
    assert scrub(f"GET /api/models?token={SECRET}&limit=1") == f"GET /api/models?token={HIDDEN}&limit=1"
    assert scrub(f"no answer of amqp://guest:{SECRET}@rabbit//") == f"no answer of amqp://guest:{HIDDEN}@rabbit//"
    assert scrub(f"{TOKEN} is unknown") == f"cpt_{HIDDEN} is unknown"


@pytest.fixture
def known(monkeypatch):
    """`know`, forgotten after the test."""
    monkeypatch.setattr(scrubbing, "_known", set(scrubbing._known))
    monkeypatch.setattr(scrubbing, "_by_value", scrubbing._by_value)
    return scrubbing.know


def test_known_values_are_hidden_wherever_they_stand_and_as_urls_quote_them(known):
    known({"open sesame/1", "rivers", "abc"})
    assert scrub("he said open sesame/1.") == f"he said {HIDDEN}."
    assert scrub("q%3Dopen%20sesame%2F1x") == f"q%3D{HIDDEN}x"
    # A short one is hidden as a word, and one below six characters would be in every other line.
    assert scrub("rivers, driversed, abc") == f"{HIDDEN}, driversed, abc"


def test_an_answer_does_not_say_whether_a_guess_is_right(known):
    known({"open sesame/1"})
    assert scrub_shapes("no model open sesame/1") == "no model open sesame/1"


def test_secrets_are_known_by_the_names_of_variables_and_from_urls():
    variables = {
        "RASA_TOKEN": "one",
        "MY_SECRET": "two",
        "CONTROLPLANE_SECRET_KEY_FALLBACKS": "three,four",
        "DATABASE_URL": "postgres://u:p%40ss@db/name",
        "BROKER_URL": "amqp://guest@rabbit",
        "PUBLIC_URL": "https://control.example.com",
        "BROKEN_URL": "http://a:b@[::1",
        "LANG": "C",
    }
    found = scrubbing.secrets_of(variables) - {"", "three,four"}
    assert found == {"one", "two", "three", "four", "p%40ss", "p@ss"}


@pytest.mark.parametrize(
    "text",
    [
        *("a" * 200_000, "-ey" * 70_000, "token" * 40_000, "://a:" * 40_000, "cookie:" * 30_000, "eyJ" * 60_000),
        *("token:a" * 30_000, 'token="' * 30_000, "token\\" * 30_000, "token%3Da" + "%2" * 50_000, "/reset/" * 30_000),
        *("authorization:" * 20_000, "-----BEGIN " * 20_000, "argon2$" * 30_000, "password: " + "x" * 200_000),
    ],
    ids=lambda text: text[:12],
)
def test_no_line_takes_long(text):
    begun = time.process_time()
    scrub(text)
    assert time.process_time() - begun < 1


def test_a_line_costs_less_than_a_millisecond():
    """Polls log nothing, so this is for what is rare."""
    line = "the promotion to production of brisk-otter took 3.2 s and was proved by 2 replicas of 2"
    begun = time.process_time()
    for _ in range(1000):
        scrub(line)
    assert time.process_time() - begun < 1


@pytest.fixture
def logged():
    """A logger as settings configure them, and what it wrote."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Formatter("%(levelname)s %(name)s: %(message)s"))
    logger = logging.Logger("tests")
    logger.addHandler(handler)
    return logger, stream


def test_messages_arguments_tracebacks_and_stacks_are_scrubbed(logged):
    logger, stream = logged
    try:
        try:
            raise ValueError(f"token={SECRET}")
        except ValueError as error:
            raise OSError(f"http://a:{SECRET}@host") from error
    except OSError:
        logger.exception("asked with %s and %r", TOKEN, {"password": SECRET}, stack_info=True)
    text = stream.getvalue()
    assert SECRET not in text
    assert text.startswith(f"ERROR tests: asked with cpt_{HIDDEN} and {{'password': {HIDDEN}}}\nTraceback")
    assert f"ValueError: token={HIDDEN}" in text
    assert f"OSError: http://a:{HIDDEN}@host" in text
    assert "Stack (most recent call last)" in text


def test_a_record_stays_as_it_is_for_other_handlers(logged):
    logger, _ = logged
    record = logger.makeRecord("tests", logging.INFO, "", 0, "token=%s", (SECRET,), None)
    Formatter("%(message)s").format(record)
    assert (record.msg, record.args) == ("token=%s", (SECRET,))


def test_every_handler_of_every_process_scrubs(settings):
    assert settings.LOGGING["handlers"]
    for handler in settings.LOGGING["handlers"].values():
        formatter = settings.LOGGING["formatters"][handler["formatter"]]
        assert formatter["()"] == "accounts.scrubbing.Formatter"


HOOKS = f"""
import sys, threading, warnings
from accounts import scrubbing
scrubbing.hook_exceptions()
class Bad:
    def __del__(self):
        raise ValueError("token={SECRET}")
bad = Bad()
del bad
def fail():
    raise KeyError("token={SECRET}")
thread = threading.Thread(target=fail, name="reader")
thread.start()
thread.join()
threading.Thread(target=sys.exit).start()
raise OSError("password={SECRET}")
"""


def said(code, **variables):
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "controlplane.settings", **variables}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    return done.stdout + done.stderr


def test_exceptions_that_nobody_caught_are_told_without_secrets(tmp_path):
    text = said(HOOKS)
    assert SECRET not in text
    for expected in ("ValueError: token=", "KeyError: 'token=", "OSError: password=", "Exception in thread reader:"):
        assert f"{expected}" in text
    assert text.count(HIDDEN) >= 3
    assert "SystemExit" not in text


GRANIAN = """
import logging
from granian.log import LogLevels, access_logger, configure_logging, logger
configure_logging(LogLevels.info)
import controlplane.wsgi
logger.error("Application callable raised an exception\\nValueError: token={secret}")
access_logger.info("GET /guest/conversations/production/{secret} 200")
"""


def test_the_web_servers_own_lines_are_scrubbed_too(tmp_path):
    text = said(GRANIAN.format(secret=SECRET), CONTROLPLANE_HOME=str(tmp_path))
    assert SECRET not in text
    assert f"ERROR _granian: Application callable raised an exception\nValueError: token={HIDDEN}" in text
    assert f"production/{HIDDEN} 200" in text


CELERY = """
import logging
import django
django.setup()
from controlplane.celery import app
app.log.setup(loglevel="INFO")
logging.getLogger("celery.worker.consumer.consumer").error("Cannot connect to amqp://guest:{secret}@rabbit//")
def fail():
    raise ValueError("token={secret}")
fail()
"""


def test_workers_and_beat_log_as_settings_say(tmp_path):
    text = said(CELERY.format(secret=SECRET), CONTROLPLANE_HOME=str(tmp_path))
    assert SECRET not in text
    assert f"amqp://guest:{HIDDEN}@rabbit" in text
    assert f"ValueError: token={HIDDEN}" in text


@pytest.mark.parametrize("scheme", ["mysqll", "postgres"])
def test_a_variable_that_cannot_be_read_is_told_without_its_value(tmp_path, scheme):
    url = f"{scheme}://u:{SECRET}@db:{SECRET}/name"
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, "CACHE_URL": url, "CONTROLPLANE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode
    assert "DATABASE_URL" in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_the_merged_log_scrubs_what_programs_say_that_know_no_secret():
    out = io.StringIO()
    line = f"sanic.access GET http://127.0.0.1:5005/status?token={SECRET} 200"
    Supervisor([Program("rasa", ["echo", line], once=True)], out).run()
    assert SECRET not in out.getvalue()
    assert re.search(r"rasa +\| sanic.access GET http://127.0.0.1:5005/status\?token=\[hidden\] 200", out.getvalue())


def test_a_programs_variables_are_not_in_its_representation():
    assert SECRET not in repr(Program("rasa", ["rasa"], environment={"RASA_SERVER_TOKEN": SECRET}))


def test_the_hooks_of_the_tests_are_their_own():
    """Those of processes are set by their entry points alone, so that a test's exceptions fail it."""
    assert threading.excepthook is not scrubbing._uncaught_in_thread
