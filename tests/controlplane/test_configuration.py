"""docs/configuration.md and the code agree: variables, checks, keys of environments.yml."""

import ast
import getpass
import json
import os
import re
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from controlplane import checks, programs
from controlplane.settings import BASE_DIR, Variables
from environments import deployment_spec, endpoint_spec, spec
from tests.workers.runtimes.local_rasa import program

DOCUMENT = (BASE_DIR / "docs" / "configuration.md").read_text()
READERS = ("controlplane/settings.py", "controlplane/rasa_install.py")
# Read to find a tool of the machine, not to configure anything.
OF_OTHERS = {"PYENV_ROOT"}


def variables_read(path):
    """The names in `env.int("NAME", …)`, `VARIABLES.get("NAME")` and `os.environ.get("NAME")`."""
    for node in ast.walk(ast.parse((BASE_DIR / path).read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            reader, name = ast.unparse(node.func.value), node.args[0]
            if reader in ("env", "VARIABLES", "os.environ") and isinstance(name, ast.Constant):
                yield name.value


def documented(section, pattern):
    text = re.split(r"^## ", DOCUMENT, flags=re.MULTILINE)
    [chosen] = [part for part in text if part.startswith(f"{section}\n")]
    return re.findall(rf"^\| `({pattern})` \|", chosen, flags=re.MULTILINE)


def test_every_variable_is_documented_and_every_documented_one_is_read():
    read = {name for path in READERS for name in variables_read(path)} - OF_OTHERS
    listed = documented("Variables", "[A-Z_0-9]+")
    assert set(listed) == read
    assert len(listed) == len(set(listed))


def test_every_check_is_documented():
    sources = [(BASE_DIR / part / "checks.py").read_text() for part in ("controlplane", "accounts")]
    used = {found for source in sources for found in re.findall(r'id="(\w+\.[EW]\d{3})"', source)}
    assert set(documented("Checks", r"\w+\.[EW]\d{3}")) == used


def test_every_key_of_environments_yml_is_documented():
    assert set(documented("environments.yml", "[a-z_]+")) == set(spec.KEYS)


def test_every_key_of_a_deployment_and_every_section_of_endpoints_is_documented():
    listed = documented("Deployment", "[a-z_]+")
    assert set(listed) == {*deployment_spec.KEYS, *endpoint_spec.KEYS}


def test_the_examples_are_valid():
    first, second = re.findall(r"```yaml\n(.*?)```", DOCUMENT, flags=re.DOTALL)
    assert spec.parse(first, {"RASA_TOKEN": "x"}).projects == ("default", "banking")
    [declared] = spec.parse(second, {"RASA_TOKEN": "x"}).environments
    assert declared.deployed.deployment.memory == "4g"


def test_a_variable_of_the_wrong_type_is_named_without_its_value(monkeypatch):
    monkeypatch.setenv("MAX_CHATS", "s3cret")
    with pytest.raises(ImproperlyConfigured, match="MAX_CHATS") as refused:
        Variables().int("MAX_CHATS", default=1)
    assert "s3cret" not in str(refused.value)


def test_urls_of_services_may_carry_options_and_the_others_have_their_defaults(tmp_path):
    variables = {
        "CONTROLPLANE_HOME": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "controlplane.settings",
        "DATABASE_URL": "postgres://u:p@db:5432/name?connect_timeout=7&sslmode=require",
        "CACHE_URL": "redis://cache:6379/3?key_prefix=team-a&socket_timeout=4",
    }
    told = "import json; from django.conf import settings; print(json.dumps([settings.DATABASES, settings.CACHES]))"
    done = subprocess.run(
        [sys.executable, "-c", told], env=os.environ | variables, cwd=BASE_DIR, capture_output=True, check=True
    )
    databases, caches = json.loads(done.stdout)
    options = databases["default"]["OPTIONS"]
    assert (options["connect_timeout"], options["sslmode"], options["keepalives_idle"]) == (7, "require", 30)
    assert caches["default"]["KEY_PREFIX"] == "team-a"
    assert caches["default"]["OPTIONS"] == {"socket_timeout": 4, "socket_connect_timeout": 1}


MAIL = """
import json
from django.conf import settings
names = ("HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "USE_TLS", "USE_SSL", "IS_SET_UP")
print(json.dumps([settings.EMAIL_BACKEND.rpartition(".")[0], *(getattr(settings, f"EMAIL_{name}") for name in names)]))
"""
BACKENDS = "django.core.mail.backends"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, [f"{BACKENDS}.dummy", "localhost", None, "", "", False, False, False]),
        (
            "smtp+tls://me%40example.com:p%40ss@mail.example.com:587",
            [f"{BACKENDS}.smtp", "mail.example.com", 587, "me@example.com", "p@ss", True, False, True],
        ),
        ("smtp+ssl://mail:465", [f"{BACKENDS}.smtp", "mail", 465, "", "", False, True, True]),
    ],
)
def test_the_mail_server_is_read_from_its_url(tmp_path, url, expected):
    variables = {name: value for name, value in os.environ.items() if name != "EMAIL_URL"}
    variables |= {"CONTROLPLANE_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "controlplane.settings"}
    variables |= {"EMAIL_URL": url} if url else {}
    done = subprocess.run([sys.executable, "-c", MAIL], env=variables, cwd=BASE_DIR, capture_output=True, check=True)
    assert json.loads(done.stdout) == expected


def ids():
    return [message.id for message in checks.check_configuration(None)]


def test_the_defaults_pass():
    assert ids() == []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("WEB_PROCESSES", 2, "controlplane.E001"),
        ("CACHES", {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}, "controlplane.E001"),
        ("WEB_PROCESSES", 0, "controlplane.E002"),
        ("MAX_MODEL_BYTES", 0, "controlplane.E002"),
        ("MAX_CHATS", -1, "controlplane.E002"),
        ("PUBLIC_URL", "control.example.com", "controlplane.E003"),
        ("PUBLIC_URL", "https://me:pw@control.example.com", "controlplane.E003"),
        ("PUBLIC_URL", "https://control.example.com?x=1", "controlplane.E003"),
        ("PUBLIC_URL", "http://control:port", "controlplane.E003"),
        ("PUBLIC_URL", "http://[::1", "controlplane.E003"),
        ("DATABASES", {"default": {"ENGINE": "django.db.backends.mysql"}}, "controlplane.E004"),
        ("CELERY_BROKER_URL", "sqla+sqlite:///broker.db", "controlplane.E005"),
        ("CELERY_BROKER_URL", "memory://", "controlplane.E005"),
        ("TRUSTED_PROXIES", ["10.0.0.1/8"], "controlplane.E006"),
        ("TRUSTED_PROXIES", ["0.0.0.0/0"], "controlplane.E006"),
        ("TRUSTED_PROXIES", ["10.0.0.1", "nginx"], "controlplane.E006"),
        ("SECRET_KEY", "short", "controlplane.E007"),
        ("RASA_X_TOKEN", "cps_mine", "controlplane.E008"),
        ("SECRET_KEY_FALLBACKS", ["k" * 40, "short"], "controlplane.E009"),
        ("WEBHOOK_ALLOWED_NETWORKS", ["10.0.0.0/8", "intranet"], "controlplane.E010"),
        ("DEFAULT_FROM_EMAIL", "Control Plane", "controlplane.E011"),
        ("ALERT_AFTER_MINUTES", 0, "controlplane.E012"),
        ("ALERT_AFTER_MINUTES", 2000, "controlplane.E012"),
        ("ALLOWED_HOSTS", ["other.example.com"], "controlplane.W001"),
        ("TRAINING_RUNTIME", "pigeon", "controlplane.E022"),
        ("CONTROLPLANE_DOCKER_URL", "/var/run/docker.sock", "controlplane.E020"),
        ("TRAINING_MEMORY_BYTES", -1, "controlplane.E023"),
    ],
)
@pytest.mark.filterwarnings("ignore:Overriding setting:UserWarning")
def test_a_wrong_value_is_told_with_its_cure(settings, name, value, expected):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    setattr(settings, name, value)
    [message] = checks.check_configuration(None)
    assert message.id == expected
    assert message.hint
    assert "pw@" not in message.msg


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRUSTED_PROXIES", ["10.0.0.1", "::1", "172.30.7.0/29", "fd00:7::/64"]),
        ("PUBLIC_URL", "https://example.com/control"),
        ("CELERY_BROKER_URL", "amqp://guest:guest@rabbit:5672//"),
        ("WEBHOOK_ALLOWED_NETWORKS", ["10.0.0.5/8", "192.168.7.5", "fd00::/8"]),
        ("DEFAULT_FROM_EMAIL", "Control Plane <control@example.com>"),
        ("ALERT_AFTER_MINUTES", 0.5),
    ],
)
def test_a_good_value_passes(settings, name, value):
    setattr(settings, name, value)
    assert ids() == []


def local_rasa(settings, folder, user=""):
    """What is said of an installation that trains by a local executable, as that user."""
    settings.TRAINING_RUNTIME, settings.TRAINING_USER = "command", user
    settings.RASA_COMMAND = program(folder) if folder.exists() else folder / "rasa"
    return ids()


def test_a_local_rasa_as_the_user_of_the_control_plane_is_warned_of(settings, tmp_path):
    assert local_rasa(settings, tmp_path, getpass.getuser()) == ["controlplane.W005"]


def test_a_local_rasa_that_is_not_there_or_that_the_user_does_not_reach_is_told(settings, tmp_path):
    assert "controlplane.W004" in local_rasa(settings, tmp_path / "nowhere", getpass.getuser())


def test_a_user_that_is_not_there_is_told(settings, tmp_path):
    assert local_rasa(settings, tmp_path, "no-such-user") == ["controlplane.W003"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a program as another user")
def test_what_another_user_reaches_is_told(settings, tmp_path, home):
    tmp_path.chmod(0o700)
    home.chmod(0o755)
    assert local_rasa(settings, tmp_path) == ["controlplane.W004", "controlplane.W006"]
    home.chmod(0o700)
    assert local_rasa(settings, tmp_path) == ["controlplane.W004"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root can run a program as another user")
def test_another_user_needs_root(settings, tmp_path):
    assert local_rasa(settings, tmp_path, "nobody") == ["controlplane.W003"]


def test_several_web_processes_with_a_shared_cache_pass(settings):
    settings.WEB_PROCESSES = 4
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://r"}}
    assert ids() == []


def test_up_starts_as_many_web_processes_as_are_configured(settings):
    settings.WEB_PROCESSES = 3
    command = programs.web("127.0.0.1", 5002, "http://localhost:5002").command
    assert command[command.index("--workers") + 1] == "3"
