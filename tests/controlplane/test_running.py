"""What `manage.py up` tells about signing in."""

import pytest

from controlplane import running
from controlplane.bootstrap import PASSWORD_FILE
from tests.factories import administrator

URL = "http://localhost:5002"
MADE, CHOSEN = "otters swim in rivers", "badgers dig at dusk"


@pytest.fixture
def admin(project, settings, tmp_path):
    """Who has the password of the file, which the first start made."""
    settings.CONTROLPLANE_HOME = tmp_path
    (tmp_path / PASSWORD_FILE).write_text(f"{MADE}\n")
    admin = administrator("admin")
    admin.set_password(MADE)
    admin.save()
    return admin


def test_the_file_is_named_and_its_password_is_shown_on_a_terminal(admin, tmp_path):
    assert running.sign_in(URL) == f"Open {URL} and sign in as admin with the password in {tmp_path / PASSWORD_FILE}."
    assert running.sign_in(URL, shown=True) == f"Open {URL} and sign in as admin with the password {MADE}."


@pytest.mark.parametrize("shown", [True, False])
def test_a_file_whose_password_opens_nothing_any_more_is_not_named(admin, shown):
    admin.set_password(CHOSEN)
    admin.save()
    told = running.sign_in(URL, shown=shown)
    assert told == f"Open {URL} and sign in as admin with its password (`manage.py changepassword admin` sets another)."


def test_so_is_none_where_the_administrator_has_another_name(admin):
    admin.username = "ana"
    admin.save()
    assert "its password" in running.sign_in(URL)
