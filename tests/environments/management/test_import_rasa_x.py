"""Copying what a Rasa X has: from this project's own routes, and from servers that are older, odd or breaking off."""

import hashlib
import os
import signal
import stat
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditEvent, Role, User
from environments import role_grants
from environments.actions import promotions
from environments.management import rasa_x_import
from environments.models import Tag, TrainedModel
from tests import live, multipart
from tests.archives import rasa_archive
from tests.factories import EnvironmentFactory, RoleFactory, TrainedModelFactory, UserFactory, administrator, give
from tests.fake_rasa_x import TOKEN, FakeRasaX


@pytest.fixture(autouse=True)
def admin(project):
    return administrator("admin")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(rasa_x_import.time, "sleep", lambda _: None)


@pytest.fixture
def rasa_x():
    """Two models, the newer one tagged."""
    with FakeRasaX() as fake:
        fake.models = {
            "brisk-otter": (rasa_archive("brisk-otter"), ["production", "nightly"]),
            "calm-heron": (rasa_archive("calm-heron"), []),
        }
        yield fake


@pytest.fixture
def run(rasa_x, capsys, monkeypatch):
    """Runs the import and gives its output."""
    monkeypatch.setenv("RASA_X_IMPORT_TOKEN", TOKEN)

    def run(*arguments, url=""):
        call_command("import_rasa_x", "--url", url or rasa_x.url, *arguments)
        return capsys.readouterr().out

    return run


def tags() -> dict[str, str]:
    return dict(Tag.objects.values_list("name", "model__name"))


def test_models_come_with_their_bytes_and_free_tags(run, rasa_x):
    out = run()
    assert {model.name: model.hash for model in TrainedModel.objects.all()} == {
        name: hashlib.sha256(archive).hexdigest() for name, (archive, _) in rasa_x.models.items()
    }
    assert tags() == {"nightly": "brisk-otter"}
    assert "model: 2 taken" in out
    # Newest first there, and here.
    assert [model.name for model in TrainedModel.objects.order_by("-pk")] == ["brisk-otter", "calm-heron"]
    assert AuditEvent.objects.filter(action="model.register", actor="admin", via="command").count() == 2


def test_a_second_run_fetches_nothing_and_changes_nothing(run, rasa_x):
    run()
    events = AuditEvent.objects.count()
    rasa_x.downloads.clear()
    assert "model: 2 there already" in run()
    assert (rasa_x.downloads, AuditEvent.objects.count()) == ([], events)


def test_a_dry_run_changes_nothing_and_fetches_nothing(run, rasa_x):
    rasa_x.answers["/api/roles"] = [{"role": "reviewer", "grants": {"models": ["read"]}}]
    rasa_x.answers["/api/users"] = [{"username": "eve", "roles": ["reviewer"]}]
    out = run("--dry-run")
    assert "model brisk-otter: would be taken" in out
    assert "user eve: would be taken" in out
    assert "Nothing was changed" in out
    assert not rasa_x.downloads
    assert not TrainedModel.objects.exists()
    assert not Tag.objects.exists()
    assert not User.objects.filter(username="eve").exists()
    assert not Role.objects.filter(name="reviewer").exists()


def test_the_tag_of_an_environment_is_told_and_not_promoted(run, production):
    out = run()
    assert "manage.py promote brisk-otter production" in out
    assert promotions.current_model(production) is None


def test_it_promotes_where_nothing_serves_yet(run, production, by_ana):
    run("--promote")
    assert promotions.current_model(production).name == "brisk-otter"
    newer = TrainedModelFactory(name="newer")
    promotions.promote(environment=production, model=newer, by=by_ana)
    assert "production has newer here" in run("--promote")
    assert promotions.current_model(production) == newer


def test_the_tag_of_an_environment_that_is_not_here_becomes_no_free_tag(run, rasa_x):
    rasa_x.answers["/api/environments"] = [{"name": "nightly", "url": "http://n", "token": None}]
    out = run()
    assert "no environment production is here" in out
    assert "no environment nightly is here" in out
    assert tags() == {}


def test_a_tag_that_somebody_put_elsewhere_stays_there(run):
    other = TrainedModelFactory(name="other")
    Tag.objects.create(project=other.project, name="nightly", model=other)
    assert "it is on other here" in run()
    assert tags() == {"nightly": "other"}


def test_what_cannot_be_taken_is_told_and_the_rest_is(run, rasa_x):
    rasa_x.models["broken"] = (b"no archive", [])
    rasa_x.models["tags"] = (rasa_archive("tags"), [])
    rasa_x.models["taken"] = (rasa_archive("taken"), [])
    TrainedModelFactory(name="taken")
    out = run()
    assert "model: 2 taken, 3 not taken" in out or "model: 3 not taken, 2 taken" in out
    assert "There is another model named taken" in out
    assert "model broken: not taken" in out


def test_a_model_that_is_too_large_is_not_taken(run, rasa_x, settings):
    settings.MAX_MODEL_BYTES = 100
    out = run()
    assert "model: 2 not taken" in out
    assert "MAX_MODEL_BYTES" in out


def test_the_same_bytes_under_another_name_are_there_already(run, rasa_x):
    run()
    rasa_x.models["twin"] = (rasa_x.models["calm-heron"][0], ["lts"])
    assert "model twin: there already" in run()
    assert tags()["lts"] == "calm-heron"


def test_roles_come_with_the_grants_that_there_are(run, rasa_x, production):
    rasa_x.answers["/api/roles"] = [
        {"role": "admin", "grants": {"models": ["read"]}},
        {
            "role": "reviewer",
            "description": "Reviews.",
            "grants": {"models": ["read"], "environments": ["production.write", "moon.write"], "nlg": ["fly"]},
        },
        {"role": "a/b", "grants": {}},
    ]
    out = run()
    role = Role.objects.get(name="reviewer")
    assert (role.description, role_grants.of_role(role)) == (
        "Reviews.",
        {"models.read", "environments.production.write"},
    )
    assert "role reviewer: without environments.moon.write, nlg.fly, which mean nothing here" in out
    assert "role admin: there already (built in, with the grants it has here)" in out
    assert "role a/b: not taken" in out
    assert len(role_grants.of_role(Role.objects.get(name="admin"))) > 20


def test_users_come_with_their_roles_and_are_invited_by_a_file(run, rasa_x, home, client):
    RoleFactory(name="reviewer", grants=["models.read"])
    rasa_x.answers["/api/users"] = [
        {"username": "eve", "roles": ["reviewer", "moon"], "authentication_mechanism": "username_password"},
        {"username": "fay", "roles": [], "projects": [{"name": "default", "roles": ["tester"]}]},
        {"username": "gus", "roles": ["admin"], "projects": [{"name": "other", "roles": ["admin"]}]},
        {"username": "robot", "roles": ["tester"], "authentication_mechanism": "api_token"},
        {"username": "a user", "roles": []},
        {"username": "admin", "roles": ["tester"]},
    ]
    out = run()
    given = {user.username: sorted(user.groups.values_list("role__name", flat=True)) for user in User.objects.all()}
    assert given == {"admin": ["admin"], "eve": ["reviewer"], "fay": ["tester"], "gus": [], "robot": ["tester"]}
    assert "user eve: without moon" in out
    assert "user a user: not taken" in out
    assert User.objects.get(username="robot").service_of.name == "default"
    file = home / "invitations.txt"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    links = dict(line.split(" ") for line in file.read_text().splitlines())
    assert set(links) == {"eve", "fay", "gus"}
    assert not any(link in out for link in links.values())
    assert str(file) in out
    page = client.get(links["eve"].removeprefix("http://localhost:5002"), follow=True)
    assert (page.status_code, "eve" in page.text) == (200, True)


def test_a_file_that_others_may_read_gets_no_links(run, home):
    file = home / "links.txt"
    file.touch(mode=0o644)
    file.chmod(0o644)
    with pytest.raises(CommandError, match="chmod 600"):
        run("--invitations", str(file))
    assert not TrainedModel.objects.exists()


def test_it_is_held_to_the_permissions_of_who_acts(run, rasa_x, project):
    give(UserFactory(username="ben"), project, "models.read", "models.write")
    rasa_x.answers["/api/roles"] = [{"role": "reviewer", "grants": {"models": ["read"]}}]
    rasa_x.answers["/api/users"] = [{"username": "eve", "roles": []}]
    out = run("--by", "ben")
    assert "model: 2 taken" in out
    assert "roles.write" in out
    assert "users.write" in out
    assert not User.objects.filter(username="eve").exists()


@pytest.mark.parametrize(
    ("place", "page", "in_query"),
    [
        ("/api/models", None, False),
        ("/api/projects/default/models/nlu", None, False),
        ("/api/projects/default/models", 1, False),
        ("/api/projects/default/models", None, True),
    ],
)
def test_servers_of_every_age(run, rasa_x, place, page, in_query):
    rasa_x.place, rasa_x.page, rasa_x.in_query = place, page, in_query
    assert "model: 2 taken" in run()


def test_without_users_and_roles_the_models_still_come(run, rasa_x):
    rasa_x.answers["/api/roles"] = (403, {}, {"status": "failure", "message": "Not yours."})
    rasa_x.answers["/api/users"] = (404, {"Content-Type": "text/html"}, b"<html>")
    out = run()
    assert "model: 2 taken" in out
    assert "roles (all): Rasa X does not show them to this token. Not yours." in out


def test_a_download_that_breaks_off_is_begun_again(run, rasa_x):
    rasa_x.breaks_off["brisk-otter"] = 2
    assert "model: 2 taken" in run()
    assert rasa_x.downloads.count("brisk-otter") == 3


def test_where_it_breaks_off_for_good_the_next_run_goes_on(run, rasa_x, capsys):
    rasa_x.breaks_off["brisk-otter"] = 3
    with pytest.raises(CommandError, match="Run the command again"):
        run()
    assert "model: 1 taken" in capsys.readouterr().out
    rasa_x.downloads.clear()
    assert "model: 1 there already, 1 taken" in run()
    assert rasa_x.downloads == ["brisk-otter"]


def test_signing_in_by_name_and_password(run, monkeypatch):
    monkeypatch.setenv("RASA_X_IMPORT_PASSWORD", "her password")
    assert "model: 2 taken" in run("--username", "ana")
    monkeypatch.setenv("RASA_X_IMPORT_PASSWORD", "another")
    with pytest.raises(CommandError, match="does not take this user name"):
        run("--username", "ana")


HTML = (200, {"Content-Type": "text/html"}, b"<html>Welcome</html>")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (HTML, "not as Rasa X does"),
        ((404, {}, b"<html>"), "not as Rasa X does"),
        ((302, {"Location": "https://other.example/login?token=x"}, b""), "sends elsewhere to https://other.example."),
        ((500, {}, b"oh"), "the status 500"),
        ((200, {}, {"results": []}), "not as Rasa X does"),
    ],
)
def test_an_address_of_something_else_is_told(run, rasa_x, answer, sentence):
    rasa_x.place = "/nowhere"
    for path in ("/api/projects/default/models", "/api/models", "/api/projects/default/models/nlu"):
        rasa_x.answers[path] = answer
    with pytest.raises(CommandError, match=sentence) as refused:
        run()
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://127.0.0.1:9", "No connection"),
        ("rasa-x.example.com", "no address of a server"),
        ("http://[", "no address of a server"),
        ("https://ana:secret@rasa-x.example.com", "no address of a server"),
    ],
)
def test_a_wrong_address_is_told_with_the_cure(run, url, sentence):
    with pytest.raises(CommandError, match=sentence):
        run(url=url)


def test_the_wrong_token_is_told_and_not_repeated(run, monkeypatch):
    monkeypatch.setenv("RASA_X_IMPORT_TOKEN", "stale-token-1234567")
    with pytest.raises(CommandError, match="does not take this token") as refused:
        run()
    assert "stale-token" not in str(refused.value)


def test_another_project_is_named(run, rasa_x):
    rasa_x.place = "/api/projects/bank/models"
    with pytest.raises(CommandError, match="There is no project default"):
        run()
    assert "model: 2 taken" in run("--from-project", "bank")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--by", "nobody"), "no active user nobody"),
        (("--project", "moon"), "no project moon"),
        (("--by", "cy"), "no project default"),
    ],
)
def test_a_refusal_is_one_line(run, cy, arguments, sentence):
    with pytest.raises(CommandError, match=sentence):
        run(*arguments)


def test_this_projects_own_routes_give_everything(live_controlplane, capsys, monkeypatch):
    """From a whole control plane of its own, over HTTP."""
    there = live_controlplane
    there.declare("rasa:\n  production:\n    url: http://127.0.0.1:9\n")
    archive = rasa_archive("moved-model")
    content = multipart.body(multipart.file("model", "moved-model.tar.gz", archive))
    headers = {"Content-Type": multipart.CONTENT_TYPE}
    uploaded = there.http.post("/api/models?tags=moved&tags=production", content=content, headers=headers)
    assert uploaded.status_code in (200, 201), uploaded.text
    role = {"role": "mover", "grants": {"models": ["read"], "environments": ["production.write"]}}
    assert there.http.post("/api/roles", json=role).status_code == 201
    assert there.http.post("/api/users", json={"username": "mia", "roles": ["mover"]}).status_code == 201
    EnvironmentFactory(name="production")
    monkeypatch.setenv("RASA_X_IMPORT_TOKEN", there.token)
    try:
        call_command("import_rasa_x", "--url", f"{there.url}/api/", "--promote")
        call_command("import_rasa_x", "--url", there.url, "--promote")
    finally:
        there.declare("rasa: {}\n")
    out = capsys.readouterr().out
    assert "Not taken" not in out, out
    assert TrainedModel.objects.get(name="moved-model").hash == hashlib.sha256(archive).hexdigest()
    # Other tests may have left tags there.
    assert {"moved": "moved-model", "production": "moved-model"}.items() <= tags().items()
    assert role_grants.of_role(Role.objects.get(name="mover")) == {"models.read", "environments.production.write"}
    assert Role.objects.of_user(User.objects.get(username="mia")).get().name == "mover"


def test_a_run_that_was_killed_goes_on_where_it_stopped(rasa_x, tmp_path):
    """`kill -9` in the middle of a download, in an installation of its own."""
    (tmp_path / "here").mkdir()
    here = live.ControlPlane(tmp_path / "here", parts=())
    rasa_x.models = {f"model-{number}": (rasa_archive(f"model-{number}"), []) for number in range(4)}
    rasa_x.answers["/api/users"] = [{"username": "eve", "roles": []}]
    rasa_x.slow = 0.5
    here.environment["RASA_X_IMPORT_TOKEN"] = TOKEN
    command = ["import_rasa_x", "--url", rasa_x.url]
    running = live.Process(
        [sys.executable, "manage.py", *command],
        folder=Path.cwd(),
        environment=here.environment,
        log=tmp_path / "import.log",
    )
    live.wait_until(lambda: len(rasa_x.downloads) == 3, 60, "the third download")
    os.kill(running.process.pid, signal.SIGKILL)
    running.stop()
    rasa_x.slow, first = 0.0, list(rasa_x.downloads)
    out = here.manage(*command)
    again = rasa_x.downloads[len(first) :]
    assert set(first[:2]).isdisjoint(again)
    assert sorted(first[:2] + again) == sorted(rasa_x.models)
    assert "2 there already, 2 taken" in out
    assert not list((here.home / "spool").iterdir())
    assert "4 there already" in here.manage(*command)
    here.stop()
