"""Where the Python 3.10 of the local Rasa comes from, and when an installation counts as complete."""

import pytest

from controlplane import rasa_install


def executable(path, script):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


PYTHON_3_10 = 'echo "3 10"'
BROKEN_SHIM = 'echo "pyenv: python3.10: command not found" >&2; exit 127'


@pytest.fixture
def bare_machine(tmp_path, monkeypatch):
    """A machine with nothing on its PATH, and a uv that finds nothing."""
    monkeypatch.delenv("RASA_PYTHON", raising=False)
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    executable(tmp_path / "venv" / "uv", "exit 2")
    monkeypatch.setattr("sys.executable", str(tmp_path / "venv" / "python"))
    return tmp_path


def test_the_named_python_is_taken(bare_machine, monkeypatch):
    python = executable(bare_machine / "mine" / "python", PYTHON_3_10)
    monkeypatch.setenv("RASA_PYTHON", str(python))
    assert rasa_install.find_python(print) == str(python)


def test_a_named_python_of_another_version_is_refused_by_name(bare_machine, monkeypatch):
    python = executable(bare_machine / "mine" / "python", 'echo "3 12"')
    monkeypatch.setenv("RASA_PYTHON", str(python))
    with pytest.raises(rasa_install.RasaMissing, match=r"RASA_PYTHON names .*mine/python, which is not"):
        rasa_install.find_python(print)


def test_a_shim_without_a_python_behind_it_is_passed_over_for_pyenvs_own(bare_machine, monkeypatch):
    executable(bare_machine / "bin" / "python3.10", BROKEN_SHIM)
    python = executable(bare_machine / "pyenv" / "versions" / "3.10.13" / "bin" / "python", PYTHON_3_10)
    monkeypatch.setenv("PYENV_ROOT", str(bare_machine / "pyenv"))
    assert rasa_install.find_python(print) == str(python)


def test_without_any_python_3_10_the_message_says_how_to_get_one(bare_machine):
    with pytest.raises(rasa_install.RasaMissing, match=r"needs Python 3\.10") as refused:
        rasa_install.find_python(lambda _: None)
    for cure in ("apt install", "pyenv install 3.10", "RASA_PYTHON=", "manage.py install_rasa"):
        assert cure in str(refused.value)


def test_an_installation_without_the_marker_of_this_lock_is_not_complete(tmp_path):
    executable(rasa_install.python_of(tmp_path), PYTHON_3_10)
    assert not rasa_install.is_installed(tmp_path)
    (tmp_path / rasa_install.MARKER).write_text("another lock")
    assert not rasa_install.is_installed(tmp_path)
    (tmp_path / rasa_install.MARKER).write_text(rasa_install.wanted())
    assert rasa_install.is_installed(tmp_path)


def test_installing_again_does_nothing(bare_machine, tmp_path):
    home = tmp_path / "rasa"
    executable(rasa_install.python_of(home), PYTHON_3_10)
    (home / rasa_install.MARKER).write_text(rasa_install.wanted())
    said = []
    rasa_install.install(home, said.append)
    assert said == [f"Rasa {rasa_install.VERSION} is installed in {home}."]


def test_the_version_named_is_the_one_that_is_locked():
    assert f"\nrasa=={rasa_install.VERSION} " in rasa_install.LOCK.read_text()
