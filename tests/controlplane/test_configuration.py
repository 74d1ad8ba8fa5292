"""docs/configuration.md and the code agree: variables, checks, keys of environments.yml."""

import ast
import json
import os
import re
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from controlplane import checks, programs
from controlplane.settings import BASE_DIR, Variables
from environments import spec

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
    used = set(re.findall(r'id="(controlplane\.[EW]\d{3})"', (BASE_DIR / "controlplane" / "checks.py").read_text()))
    assert set(documented("Checks", r"controlplane\.[EW]\d{3}")) == used


def test_every_key_of_environments_yml_is_documented():
    assert set(documented("environments.yml", "[a-z_]+")) == set(spec.KEYS)


def test_the_example_is_valid():
    [example] = re.findall(r"```yaml\n(.*?)```", DOCUMENT, flags=re.DOTALL)
    declaration = spec.parse(example, {"RASA_TOKEN": "x"})
    assert declaration.projects == ("default", "banking")


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
        ("TRUSTED_PROXIES", ["10.0.0.0/8"], "controlplane.E006"),
        ("TRUSTED_PROXIES", ["10.0.0.1", "nginx"], "controlplane.E006"),
        ("SECRET_KEY", "short", "controlplane.E007"),
        ("RASA_X_TOKEN", "cps_mine", "controlplane.E008"),
        ("ALLOWED_HOSTS", ["other.example.com"], "controlplane.W001"),
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
        ("TRUSTED_PROXIES", ["10.0.0.1", "::1"]),
        ("PUBLIC_URL", "https://example.com/control"),
        ("CELERY_BROKER_URL", "amqp://guest:guest@rabbit:5672//"),
    ],
)
def test_a_good_value_passes(settings, name, value):
    setattr(settings, name, value)
    assert ids() == []


def test_several_web_processes_with_a_shared_cache_pass(settings):
    settings.WEB_PROCESSES = 4
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://r"}}
    assert ids() == []


def test_up_starts_as_many_web_processes_as_are_configured(settings):
    settings.WEB_PROCESSES = 3
    command = programs.web("127.0.0.1", 5002, "http://localhost:5002").command
    assert command[command.index("--workers") + 1] == "3"
