"""Who one is: a token that is kept for its owner alone, sent to its control plane alone, and shown to nobody."""

import stat

import pytest

from tests.cpctl.scripted import Scripted, answer, problem
from tests.git_servers import make_certificates

ME = answer(200, {"username": "ana", "projects": []})


@pytest.fixture
def signed_out(cpctl):
    """Without what the environment says."""
    del cpctl.environ["CPCTL_TOKEN"]
    del cpctl.environ["CPCTL_URL"]
    return cpctl


def kept(cpctl):
    return cpctl.folder / "config" / "cpctl" / "account.json"


def test_a_token_that_is_piped_in_is_kept_for_its_owner_alone(signed_out, control_plane):
    done = signed_out("login", control_plane.url, typed=f"{control_plane.token}\n")
    assert done.status == 0, done.err
    assert done.out == f"signed in at {control_plane.url} as admin\n"
    assert control_plane.token not in done.err
    assert stat.S_IMODE(kept(signed_out).stat().st_mode) == 0o600
    assert stat.S_IMODE(kept(signed_out).parent.stat().st_mode) == 0o700
    told = signed_out("whoami")
    assert told.status == 0
    assert "environments.production.write" in told.out
    assert control_plane.token not in told.out + told.err
    assert signed_out("logout").status == 0
    assert not kept(signed_out).exists()
    assert signed_out("whoami").status == 6


def test_name_and_password_do_as_well(signed_out, control_plane):
    password = (control_plane.home / "initial-admin-password").read_text().strip()
    assert signed_out("login", control_plane.url, "--username", "admin", typed=f"{password}\n").status == 0
    assert password not in kept(signed_out).read_text()
    assert signed_out("status").status == 0


def test_a_wrong_password_keeps_nothing(signed_out, control_plane):
    done = signed_out("login", control_plane.url, "--username", "admin", typed="wrong\n")
    assert done.status == 6
    assert "do not belong together" in done.err
    assert not kept(signed_out).exists()


def test_a_wrong_token_keeps_nothing_and_is_not_repeated(signed_out, control_plane):
    done = signed_out("login", control_plane.url, typed="cpt_wrong\n")
    assert done.status == 6
    assert "cpt_wrong" not in done.err + done.out
    assert not kept(signed_out).exists()


def test_without_a_token_each_command_says_how_to_get_one(signed_out, control_plane):
    nowhere = signed_out("status", "--json")
    assert (nowhere.status, nowhere.json["type"]) == (6, "cpctl:not-signed-in")
    assert "cpctl login" in nowhere.err
    assert signed_out("status", "--url", control_plane.url).status == 6


def test_a_stored_token_goes_to_its_own_control_plane_alone(signed_out, control_plane, scripted):
    signed_out("login", control_plane.url, typed=f"{control_plane.token}\n")
    signed_out.environ["CPCTL_URL"] = scripted.url
    done = signed_out("status")
    assert done.status == 6
    assert scripted.requests == []


def test_a_redirect_takes_no_token_along(cpctl, scripted):
    cpctl.environ["CPCTL_URL"] = scripted.url
    scripted.answers = [answer(302, {}, Location="http://elsewhere.example/")]
    done = cpctl("status")
    assert done.status == 1
    assert "redirects to http://elsewhere.example/" in done.err
    assert len(scripted.requests) == 1


def test_a_token_that_no_header_could_hold_is_refused_without_showing_it(cpctl):
    cpctl.environ["CPCTL_TOKEN"] = "cpt_two words"
    done = cpctl("status")
    assert done.status == 2
    assert "cpt_two" not in done.err


@pytest.mark.parametrize(
    "url", ["control-plane", "ftp://host", "https://ana:secret@host/", "https://", "http://h/?a=b"]
)
def test_what_is_no_url_is_refused_before_anything_is_sent(signed_out, url):
    done = signed_out("login", url, typed="cpt_x\n")
    assert done.status == 2
    assert not kept(signed_out).exists()


def test_a_damaged_file_says_what_to_do(signed_out):
    kept(signed_out).parent.mkdir(parents=True)
    kept(signed_out).write_text("{")
    done = signed_out("status")
    assert done.status == 2
    assert "Delete it and sign in again" in done.err


def test_a_revoked_token_is_not_signed_in(cpctl, scripted):
    cpctl.environ["CPCTL_URL"] = scripted.url
    scripted.answers = [problem(401, "unauthorized", "The API token was revoked.")]
    done = cpctl("status")
    assert done.status == 6
    assert "revoked" in done.err


def test_the_url_may_have_a_path_and_a_slash(cpctl, scripted):
    cpctl.environ["CPCTL_URL"] = f"{scripted.url}/rasa/"
    scripted.answers = [ME]
    assert cpctl("whoami").status == 0
    assert scripted.requests[0][1].startswith("/rasa/api/v1/me/")


def test_a_private_authority_is_trusted_where_it_is_named_and_nowhere_else(cpctl, tmp_path):
    ca_file, certificate = make_certificates(tmp_path)
    with Scripted(certificate) as server:
        server.answers = [ME]
        cpctl.environ["CPCTL_URL"] = server.url
        refused = cpctl("whoami")
        assert refused.status == 5
        assert "its certificate is not trusted" in refused.err
        assert "--ca-file" in refused.err
        assert server.requests == []
        assert cpctl("whoami", "--ca-file", ca_file).status == 0
        cpctl.environ["CPCTL_CA_FILE"] = str(ca_file)
        assert cpctl("whoami").status == 0
        assert cpctl("whoami", "--ca-file", "absent.pem").status == 2
