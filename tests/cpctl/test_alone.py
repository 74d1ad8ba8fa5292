"""`cpctl` is a package of its own: it knows no Django and nothing of the server, and installs without them."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib

import cpctl
from cpctl import exits
from cpctl.cli import parser
from cpctl.exits import Exit
from environments.management import promoting
from tests import live

PACKAGE = live.ROOT / "cpctl"
DOCUMENTED = (live.ROOT / "docs" / "cli.md").read_text()
LOADED = """
import pkgutil, sys
import cpctl
for module in pkgutil.walk_packages(cpctl.__path__, "cpctl."):
    if not module.name.endswith("__main__"):
        __import__(module.name)
print(*{name.partition(".")[0] for name in sys.modules})
"""


def test_it_imports_no_django_and_nothing_of_the_server():
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(live.ROOT)}
    done = subprocess.run([sys.executable, "-c", LOADED], env=environ, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"cpctl", "httpx"} <= loaded
    assert not loaded & {"django", "rest_framework", "celery", "controlplane", "workers", "environments", "accounts"}


def test_what_it_imports_is_what_its_package_asks_for():
    wanted = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                wanted |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                wanted.add(str(node.module).partition(".")[0])
    assert wanted - sys.stdlib_module_names - {"cpctl"} == {"httpx"}
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == ["httpx>=0.27"]


def test_it_installs_from_its_folder_and_runs_in_an_empty_one(tmp_path):
    """As a CI does it, but for the packages it takes from an index."""
    source, target, empty = tmp_path / "source", tmp_path / "target", tmp_path / "empty"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    empty.mkdir()
    uv = [os.path.join(os.path.dirname(sys.executable), "uv"), "pip", "install", "--quiet", "--offline"]
    packages = ["--no-deps", "--no-build-isolation", "--python", sys.executable, "--target", str(target), str(source)]
    subprocess.run([*uv, *packages], check=True, cwd=empty, env={**os.environ, "UV_NO_CONFIG": "1"})
    assert (target / "cpctl" / "commands" / "training.py").is_file()
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(target)}
    done = subprocess.run(
        [str(target / "bin" / "cpctl"), "--version"], cwd=empty, env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"cpctl {cpctl.__version__}\n"


def test_the_set_up_puts_it_beside_python():
    done = subprocess.run(
        [os.path.join(os.path.dirname(sys.executable), "cpctl"), "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, "`make setup` installs it"
    assert "exit status:" in done.stdout


def test_every_exit_status_is_documented_and_told_by_help():
    assert set(exits.MEANINGS) == set(Exit)
    for status, meaning in exits.MEANINGS.items():
        assert f"| {status.value} | {meaning} |" in DOCUMENTED
        assert f"{status.value}  {meaning}" in parser().format_help()


def test_the_commands_of_the_server_end_with_the_same_statuses():
    assert (promoting.UNSUCCESSFUL, promoting.UNFINISHED) == (Exit.UNSUCCESSFUL, Exit.UNFINISHED)
