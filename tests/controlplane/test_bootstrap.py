"""Every start makes what is missing: keys, the default project, the administrator, the environments of the file."""

import pytest

from accounts.models import AuditEvent, Project, User
from controlplane import bootstrap, home
from environments.actions import roles
from environments.errors import EnvironmentsFileInvalid
from environments.models import Environment, Pipeline

pytestmark = pytest.mark.django_db

GOOD = "rasa:\n  production:\n    url: http://p:1\n    token: ${RASA_TOKEN}\n"


@pytest.fixture(autouse=True)
def file(settings, tmp_path):
    """environments.yml, where no variable is set."""
    path = tmp_path / "environments.yml"
    path.write_text(GOOD)
    settings.CONTROLPLANE_ENVIRONMENTS = path
    settings.CONTROLPLANE_ADMIN_PASSWORD = ""
    settings.VARIABLES = {}
    return path


def prepare(*, is_terminal=False):
    """What was said."""
    said = []
    bootstrap.prepare(say=said.append, is_terminal=is_terminal)
    return said


def password_of(said):
    return said[0].split("has the password ")[1].split(" ")[0]


def can_sign_in(password):
    return User.objects.get(username="admin").check_password(password)


def test_the_first_start_makes_everything_and_the_second_nothing():
    assert prepare()[1:] == ["created default/production"]
    assert Project.objects.get().name == "default"
    assert roles.administrators(Project.objects.get()).get() == User.objects.get()
    events = AuditEvent.objects.count()
    assert prepare() == []
    assert AuditEvent.objects.count() == events


def test_variables_are_made_where_they_are_not_set(tmp_path):
    prepare()
    made = home.generated_variables(tmp_path)
    assert Environment.objects.get().rasa_token == made["RASA_TOKEN"] != ""
    assert (tmp_path / "generated.env").stat().st_mode & 0o777 == 0o600


def test_a_variable_that_is_set_wins(settings):
    settings.VARIABLES = {"RASA_TOKEN": "mine"}
    prepare()
    assert Environment.objects.get().rasa_token == "mine"


def test_on_a_terminal_the_password_is_shown_once_and_not_kept(tmp_path):
    assert can_sign_in(password_of(prepare(is_terminal=True)))
    assert not (tmp_path / "initial-admin-password").exists()
    assert prepare(is_terminal=True) == []


def test_elsewhere_the_password_is_kept_in_a_private_file_whose_path_is_said(tmp_path):
    said = prepare()
    path = tmp_path / "initial-admin-password"
    assert said[0] == f"The administrator admin has the password in {path}."
    assert can_sign_in(path.read_text().strip())
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_password_file_of_an_earlier_database_is_replaced(tmp_path):
    path = tmp_path / "initial-admin-password"
    path.write_text("old")
    path.chmod(0o644)
    prepare()
    assert can_sign_in(path.read_text().strip())
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_password_that_is_configured_is_taken_and_never_said(settings, tmp_path):
    settings.CONTROLPLANE_ADMIN_PASSWORD = "$correct horse"
    said = prepare(is_terminal=True)
    assert can_sign_in("$correct horse")
    assert "correct" not in "".join(said)
    assert not (tmp_path / "initial-admin-password").exists()


def test_the_password_is_not_in_the_audit_trail(settings):
    settings.CONTROLPLANE_ADMIN_PASSWORD = "s3cret-password"
    prepare()
    assert not any("s3cret" in str(event.after) for event in AuditEvent.objects.all())
    assert AuditEvent.objects.get(action="user.create").object == "user:admin"


def test_an_administrator_who_was_renamed_or_deactivated_is_not_made_again():
    prepare()
    User.objects.update(username="root", is_active=False)
    assert prepare() == []
    assert User.objects.count() == 1


def test_a_bad_file_is_an_error_at_the_first_start(file):
    file.write_text("rasa: {production: {}}")
    with pytest.raises(EnvironmentsFileInvalid, match=r"rasa\.production\.url: is missing"):
        prepare()


def test_later_a_bad_file_is_said_and_the_last_declaration_stays_in_force(file):
    prepare()
    file.write_text("rasa:\n  production: {url: 'http://p:2', tokn: x}\n")
    [said] = prepare()
    assert "line 2: rasa.production.tokn: is an unknown key. Did you mean token?" in said
    assert "The environments stay as they were." in said
    assert Environment.objects.get().url == "http://p:1"


def test_later_a_file_that_is_gone_is_said_too(file):
    prepare()
    file.unlink()
    assert "cannot be read" in prepare()[0]
    assert Environment.objects.active().count() == 1


@pytest.fixture
def pipelines_file(settings, tmp_path):
    settings.CONTROLPLANE_PIPELINES = tmp_path / "pipelines.yml"
    return settings.CONTROLPLANE_PIPELINES


def test_pipelines_of_a_file_are_there_from_the_first_start(pipelines_file):
    pipelines_file.write_text("pipelines: {nightly: {owner: admin, promote: production}}")
    assert prepare()[-1] == "created pipeline default/nightly"
    assert Pipeline.objects.get().owner.username == "admin"


def test_a_bad_pipelines_file_is_told_and_stops_no_start(pipelines_file):
    pipelines_file.write_text("pipelines: {nightly: {owner: admin, promote: production}}")
    prepare()
    pipelines_file.write_text("pipelines: {nightly: {owner: nobody}}")
    (told,) = prepare()
    assert "line 1: pipelines.nightly.owner: is no active user" in told
    assert "The pipelines stay as they were." in told
    assert Pipeline.objects.present().get().owner.username == "admin"
