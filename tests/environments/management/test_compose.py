"""`manage.py compose`: print, write, check and show the files, and what `.env` must hold."""

import os
import subprocess
import sys
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from environments.models import Environment
from environments.serving.service_tokens import service_token
from tests.deploying import STACK, yaml
from tests.factories import EnvironmentFactory, ProjectFactory

pytestmark = pytest.mark.django_db

FILE = """
rasa:
  production: {url: "http://rasa-production:5005", token: "${RASA_TOKEN}", replicas: 2}
  worker: {url: "http://rasa-worker:5005", token: "${RASA_TOKEN}"}
"""
VARIABLES = ("RASA_TOKEN", "JWT_SECRET", "CONTROLPLANE_TOKEN_PRODUCTION", "CONTROLPLANE_TOKEN_WORKER")
OVERRIDE = "docker-compose.override.yml"
STORES = "RASA_DB_PASSWORD=p\nREDIS_PASSWORD=r\n"


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    (tmp_path / "environments.yml").write_text(FILE)
    (tmp_path / "docker-compose.yml").write_text(STACK)
    (tmp_path / ".env").write_text(STORES + "".join(f"{name}=set\n" for name in VARIABLES))
    settings.CONTROLPLANE_ENVIRONMENTS = tmp_path / "environments.yml"
    settings.VARIABLES = {"RASA_TOKEN": "s3cret", "JWT_SECRET": "signed"}
    return tmp_path


def run(folder, *arguments):
    out = StringIO()
    call_command("compose", f"--folder={folder}", *arguments, stdout=out)
    return out.getvalue()


def refused(folder, *arguments):
    with pytest.raises(CommandError) as told:
        run(folder, *arguments)
    return str(told.value)


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_prints_the_file_and_nothing_else_and_writes_nothing(folder):
    before = files(folder)
    text = run(folder)
    assert yaml(text)["services"].keys() == {"rasa-production", "rasa-worker"}
    assert files(folder) == before
    run(folder, "--write")
    assert (folder / OVERRIDE).read_text() == text


def test_it_writes_what_each_service_mounts_and_a_second_run_nothing(folder):
    assert run(folder, "--write").splitlines() == [
        "wrote deploy/rasa/rasa-production/endpoints.yml",
        "wrote deploy/rasa/rasa-production/credentials.yml",
        "wrote deploy/rasa/rasa-worker/endpoints.yml",
        "wrote deploy/rasa/rasa-worker/credentials.yml",
        f"wrote {OVERRIDE}",
    ]
    before = files(folder)
    assert run(folder, "--write") == "nothing to change\n"
    assert files(folder) == before


def test_another_user_can_read_what_a_service_mounts(folder):
    mask = os.umask(0o077)
    try:
        run(folder, "--write")
    finally:
        os.umask(mask)
    made = list((folder / "deploy").rglob("*"))
    assert {path.stat().st_mode & 0o777 for path in made if path.is_dir()} == {0o755}
    assert {path.stat().st_mode & 0o777 for path in made if path.is_file()} == {0o644}


def test_an_environment_made_through_the_api_has_its_service_too(folder):
    call_command("sync_environments", stdout=StringIO())
    project = ProjectFactory(name="banking")
    own = EnvironmentFactory(project=project, name="pre-prod", url="http://rasa-banking:5005", declared_in="api")
    own.rasa_token = "its-own"
    own.save()
    EnvironmentFactory(project=project, name="gone", url="http://gone:5005", declared_in="file")
    services = yaml(run(folder))["services"]
    assert services.keys() == {"rasa-production", "rasa-worker", "rasa-banking"}
    assert services["rasa-banking"]["environment"]["RASA_ENVIRONMENT"] == "banking/pre-prod"
    assert "RASA_TOKEN_BANKING__PRE_PROD" in services["rasa-banking"]["environment"]
    assert "rasa-banking" not in run(folder, "--declared")


def test_nothing_is_written_while_a_variable_is_missing(folder):
    (folder / ".env").unlink()
    before = files(folder)
    told = refused(folder, "--write")
    assert "RASA_DB_PASSWORD is missing in .env" in told
    assert "`--env` adds what is known" in told
    assert files(folder) == before


def test_a_variable_of_the_process_is_there_for_compose_too(folder, monkeypatch):
    (folder / ".env").write_text((folder / ".env").read_text().replace("REDIS_PASSWORD=r", ""))
    assert "REDIS_PASSWORD is missing" in refused(folder, "--write")
    monkeypatch.setenv("REDIS_PASSWORD", "r")
    assert run(folder, "--write")


def test_an_environment_that_left_the_file_leaves_the_folder(folder):
    run(folder, "--write")
    (folder / "deploy/rasa/rasa-worker/mine.txt").write_text("kept")
    (folder / "environments.yml").write_text(FILE[: FILE.index("  worker")])
    assert run(folder, "--write").splitlines() == [
        f"wrote {OVERRIDE}",
        "removed deploy/rasa/rasa-worker/credentials.yml",
        "removed deploy/rasa/rasa-worker/endpoints.yml",
    ]
    assert [path.name for path in (folder / "deploy/rasa/rasa-worker").iterdir()] == ["mine.txt"]


def test_a_check_tells_every_file_that_is_not_as_declared(folder):
    assert "deploy/rasa/rasa-worker/endpoints.yml is missing" in refused(folder, "--check")
    run(folder, "--write")
    assert run(folder, "--check") == ""
    (folder / "environments.yml").write_text(FILE.replace("rasa-worker", "rasa-other"))
    told = refused(folder, "--check").splitlines()
    assert f"{OVERRIDE} is not as declared" in told
    assert "deploy/rasa/rasa-other/endpoints.yml is missing" in told
    assert "deploy/rasa/rasa-worker/endpoints.yml is of no environment any more" in told


def test_a_diff_shows_what_would_change_and_changes_nothing(folder):
    run(folder, "--write")
    before = files(folder)
    assert run(folder, "--diff") == ""
    (folder / "environments.yml").write_text(FILE.replace("replicas: 2", "replicas: 3"))
    lines = run(folder, "--diff").splitlines()
    assert "-      replicas: 2" in lines
    assert "+      replicas: 3" in lines
    assert {name for name in before if files(folder)[name] != before[name]} == {"environments.yml"}


def test_a_refused_environment_is_told_with_its_line_and_nothing_is_written(folder):
    (folder / "environments.yml").write_text(FILE.replace('token: "${RASA_TOKEN}"}', "replicas: 2}"))
    before = files(folder)
    told = refused(folder, "--write")
    assert "line 4: rasa.worker.token: is missing" in told
    assert files(folder) == before


def test_a_host_of_the_stack_itself_is_refused(folder):
    (folder / "environments.yml").write_text(FILE.replace("rasa-worker", "postgres"))
    assert "line 4: rasa.worker.url: has the host postgres, a service of docker-compose.yml" in refused(folder)


def test_a_bad_file_is_told_with_every_line(folder):
    (folder / "environments.yml").write_text(FILE + "  x: {url: 'http://x:1', deployment: {memry: 2g}}\n")
    assert "rasa.x.deployment.memry: is an unknown key. Did you mean memory?" in refused(folder)


@pytest.mark.parametrize("name", [OVERRIDE, "deploy/rasa/rasa-worker/endpoints.yml"])
def test_a_read_only_file_is_left_and_nothing_else_is_written(folder, name):
    run(folder, "--write")
    (folder / name).chmod(0o444)
    (folder / "environments.yml").write_text(
        FILE.replace("worker:5005", "worker:5006").replace("worker: {", "worker: {follows: null, ")
    )
    before = files(folder)
    assert "is read-only. Allow writing to it" in refused(folder, "--write")
    assert files(folder) == before


@pytest.mark.parametrize("name", [OVERRIDE, "deploy/rasa/rasa-worker/credentials.yml"])
def test_what_was_edited_by_hand_is_dropped_only_on_demand(folder, name):
    run(folder, "--write")
    written = files(folder)
    text = (folder / name).read_text()
    (folder / name).write_text(text.replace("rest", "mine"))
    assert f"{name} was edited" in refused(folder, "--write")
    run(folder, "--write", "--overwrite")
    assert files(folder) == written


def test_a_half_written_file_is_refused(folder):
    run(folder, "--write")
    text = (folder / OVERRIDE).read_text()
    (folder / OVERRIDE).write_text(text[: len(text) // 2])
    assert "is damaged" in refused(folder, "--write")


def test_a_database_that_does_not_answer_is_told_with_the_way_without_it(folder, tmp_path_factory):
    variables = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "CONTROLPLANE_HOME": str(tmp_path_factory.mktemp("home")),
        "CONTROLPLANE_ENVIRONMENTS": str(folder / "environments.yml"),
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
        "RASA_TOKEN": "s3cret",
    }
    command = [sys.executable, settings.BASE_DIR / "manage.py", "compose", f"--folder={folder}"]
    told = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout) == (1, "")
    assert "cannot be read. Start it, or take environments.yml alone: --declared." in told.stderr
    told = subprocess.run([*command, "--declared"], env=variables, capture_output=True, text=True, check=True)
    assert told.stdout == run(folder)


# .env


def test_env_gets_what_is_missing_and_known(folder):
    call_command("sync_environments", stdout=StringIO())
    (folder / ".env").write_text(f"# mine\n{STORES}RASA_TOKEN=\n")
    told = run(folder, "--env").splitlines()
    assert told == [
        "added CONTROLPLANE_TOKEN_PRODUCTION to .env",
        "added CONTROLPLANE_TOKEN_WORKER to .env",
        "added JWT_SECRET to .env",
        "replaced RASA_TOKEN in .env",
    ]
    token = service_token(Environment.objects.get(name="production"))
    lines = (folder / ".env").read_text().splitlines()
    assert lines[:4] == ["# mine", *STORES.splitlines(), "RASA_TOKEN=s3cret"]
    assert f"CONTROLPLANE_TOKEN_PRODUCTION={token}" in lines
    assert (folder / ".env").stat().st_mode & 0o777 == 0o600
    assert run(folder, "--env") == ""
    assert run(folder, "--write", "--env")
    assert run(folder, "--check", "--env") == ""


def test_a_rotated_token_takes_the_place_of_the_one_before(folder):
    call_command("sync_environments", stdout=StringIO())
    (folder / ".env").write_text(STORES)
    run(folder, "--env")
    run(folder, "--write")
    Environment.objects.filter(name="worker").update(token_generation=2)
    assert "CONTROLPLANE_TOKEN_WORKER is not the present one in .env" in refused(folder, "--check", "--env")
    assert run(folder, "--env") == "replaced CONTROLPLANE_TOKEN_WORKER in .env\n"
    assert service_token(Environment.objects.get(name="worker")) in (folder / ".env").read_text()


def test_what_nobody_knows_is_told_with_its_use(folder):
    call_command("sync_environments", stdout=StringIO())
    (folder / ".env").unlink()
    told = refused(folder, "--env", "--write")
    assert not (folder / OVERRIDE).exists()
    assert "RASA_DB_PASSWORD is missing in .env: endpoints or credentials of production and 1 more. Set it" in told
    assert "REDIS_PASSWORD is missing in .env: endpoints or credentials of production. Set it there." in told
    assert "CONTROLPLANE_TOKEN_WORKER=" in (folder / ".env").read_text()


def test_an_environment_that_was_not_applied_yet_has_no_token(folder):
    (folder / ".env").write_text(STORES)
    assert "CONTROLPLANE_TOKEN_WORKER is missing in .env: its pulls of worker. Run sync" in refused(folder, "--env")


def test_variables_of_the_file_may_stand_in_env(folder, settings):
    settings.VARIABLES = {}
    (folder / ".env").unlink()
    assert "the variable RASA_TOKEN is not set" in refused(folder)
    (folder / ".env").write_text("RASA_TOKEN='s3cret'\n")
    assert run(folder)


def test_a_token_that_is_written_out_goes_to_env_and_not_into_the_file(folder):
    (folder / "environments.yml").write_text(FILE.replace('token: "${RASA_TOKEN}"}', "token: 'it''s'}"))
    (folder / ".env").write_text(STORES)
    call_command("sync_environments", stdout=StringIO())
    assert "it's" not in run(folder)
    told = refused(folder, "--env")
    assert "RASA_TOKEN_WORKER holds a quote" in told
    assert "it's" not in told
    (folder / "environments.yml").write_text(FILE.replace('token: "${RASA_TOKEN}"}', "token: 'a $b#'}"))
    run(folder, "--env")
    assert "RASA_TOKEN_WORKER='a $b#'\n" in (folder / ".env").read_text()


def test_a_check_of_env_writes_nothing(folder):
    call_command("sync_environments", stdout=StringIO())
    run(folder, "--write")
    (folder / ".env").unlink()
    assert "CONTROLPLANE_TOKEN_WORKER is missing in .env" in refused(folder, "--check", "--env")
    assert not (folder / ".env").exists()
