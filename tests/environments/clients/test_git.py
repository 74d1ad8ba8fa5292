"""Repositories over real servers: what is fetched, what is refused in which words, and what nobody gets to see."""

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from environments import packing
from environments.clients import git
from environments.clients.git import credentials as handing
from environments.clients.git import fetching, tree
from environments.clients.git.program import Git, environment
from tests.git_servers import TOKEN, USER, HttpsGit, SshGit, Upstream, serving
from tests.git_servers import git as run_git
from tests.projects import tree as project_files

pytestmark = pytest.mark.git

LIMITS = git.Limits(20_000_000, 30)
ROBOT = git.Credentials(USER, TOKEN)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def https(root, tmp_path_factory):
    with serving(HttpsGit, root, tmp_path_factory.mktemp("https")) as server:
        yield server


@pytest.fixture
def ssh(root, tmp_path_factory):
    with serving(SshGit, root, tmp_path_factory.mktemp("ssh")) as server:
        yield server


@pytest.fixture
def upstream(root):
    made = Upstream(root)
    made.first = made.commit(project_files())
    return made


@pytest.fixture
def fetch(https, tmp_path):
    """Fetch over https as the robot; what is named replaces a part of that."""

    def fetched(ref="main", *, url="", name="assistant", **changes) -> git.Commit:
        folder = tmp_path / f"into-{time.monotonic_ns()}"
        folder.mkdir()
        options = {"credentials": ROBOT, "limits": LIMITS, "ca_file": str(https.ca_file), **changes}
        return git.fetch(url or f"{https.url}/{name}.git", ref, folder, **options)

    return fetched


def contents(commit: git.Commit, folder: str = "") -> dict[str, bytes]:
    found = tree.read(commit, folder, packing.is_packed, 1000, 10_000_000)
    paths = sorted(found.files)
    return dict(zip(paths, commit.git.blobs([found.files[path].name for path in paths]), strict=True))


def refusal(kind, call, *arguments, **options) -> str:
    with pytest.raises(git.GitError) as refused:
        call(*arguments, **options)
    assert type(refused.value) is kind, refused.value
    assert TOKEN not in str(refused.value)
    return str(refused.value)


# What is fetched


def test_a_branch_is_fetched_with_who_wrote_what(upstream, fetch):
    commit = fetch()
    assert (commit.name, commit.author) == (upstream.first, "Ana Otter <ana@example.com>")
    assert commit.message == "Teach it to greet"
    assert contents(commit) == {path: text.encode() for path, text in project_files().items()}


def test_a_tag_and_a_commit_are_fetched_by_name(upstream, fetch):
    later = upstream.commit({"data/more.yml": "nlu: []"})
    run_git(upstream.work, "tag", "-a", "v1", "-m", "one", upstream.first)
    run_git(upstream.work, "push", "-q", "origin", "v1")
    assert fetch("v1").name == fetch(upstream.first).name == upstream.first
    assert fetch("refs/heads/main").name == later


def test_only_the_one_commit_comes(upstream, fetch):
    upstream.commit({"data/more.yml": "nlu: []"})
    commit = fetch()
    assert commit.git.run("rev-list", "--count", commit.name).text.strip() == b"1"


def test_a_forced_push_is_followed(upstream, fetch):
    assert fetch().name == upstream.first
    forced = upstream.commit({"data/nlu.yml": "nlu: []"}, amend=True)
    assert fetch().name == forced != upstream.first


def test_a_folder_of_the_repository_is_taken_alone(upstream, fetch):
    upstream.commit({"bots/bank/config.yml": "language: en", "bots/bank2/config.yml": "language: de"})
    assert contents(fetch(), "bots/bank") == {"config.yml": b"language: en"}
    assert "no folder bots/shop" in refusal(git.UnusableTree, contents, fetch(), "bots/shop")


@pytest.mark.sshd
def test_ssh_brings_the_same(upstream, ssh, fetch):
    credentials = git.Credentials(ssh_key=ssh.key, known_hosts=ssh.known_hosts)
    commit = fetch(url=f"{ssh.url}/assistant.git", credentials=credentials)
    assert commit.name == upstream.first
    assert "data/nlu.yml" in contents(commit)


def test_the_filters_and_hooks_of_a_repository_never_run(upstream, fetch, tmp_path):
    ran = tmp_path / "ran"
    upstream.commit(
        {
            ".gitattributes": "* filter=evil export-subst\n*.yml export-ignore\n",
            ".lfsconfig": "[lfs]\nurl = https://127.0.0.1:1/\n",
            "data/stamp.yml": "a: $Format:%H$",
            "hooks/post-checkout": f"#!/bin/sh\ntouch {ran}\n",
        }
    )
    assert contents(fetch())["data/stamp.yml"] == b"a: $Format:%H$"
    assert not ran.exists()


# Links, submodules, LFS


@pytest.mark.parametrize(
    ("target", "what"),
    [
        ("/etc/passwd", "leads out of the repository"),
        ("../../secret.yml", "leads out of the repository"),
        ("gone.yml", "leads to nothing"),
        ("more", "leads to a folder"),
        ("link.yml", "leads in a circle"),
    ],
)
def test_a_link_that_leads_nowhere_good_is_refused(upstream, fetch, target, what):
    upstream.commit({"data/more/nlu.yml": "nlu: []"})
    (upstream.work / "data/link.yml").symlink_to(target)
    upstream.commit_all()
    said = refusal(git.UnusableTree, contents, fetch())
    assert said.startswith(f"data/link.yml is a symbolic link that {what}.")


def test_a_link_to_a_file_of_the_repository_is_that_file(upstream, fetch):
    upstream.commit({"bots/shared.yml": "nlu: []", "bots/bank/config.yml": "language: en"})
    (upstream.work / "bots/bank/once.yml").symlink_to("../shared.yml")
    (upstream.work / "bots/bank/twice.yml").symlink_to("once.yml")
    upstream.commit_all()
    assert contents(fetch(), "bots/bank")["twice.yml"] == b"nlu: []"


def test_submodules_are_told_and_not_followed(upstream, root, https, fetch):
    other = Upstream(root, "other")
    other.commit({"nlu.yml": "nlu: []"})
    upstream.submodule(other, "data/shared")
    found = tree.read(fetch(), "", packing.is_packed, 1000, 10_000_000)
    assert found.modules == ("data/shared",)
    assert "data/shared" not in found.files
    assert not [path for path in https.seen if "other" in path]


def test_what_points_to_lfs_is_known():
    assert tree.is_lfs_pointer(b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n")
    assert not tree.is_lfs_pointer(b"version: '3.1'\n")


# Refused


def test_a_ref_that_is_gone_is_told(upstream, fetch):
    assert "no branch, tag or commit gone;" in refusal(git.NoSuchRef, fetch, "gone")
    assert "no branch, tag or commit" in refusal(git.NoSuchRef, fetch, "0" * 40)


def test_a_ref_that_reads_as_an_option_is_none(upstream, fetch, tmp_path):
    ran = tmp_path / "ran"
    refusal(git.NoSuchRef, fetch, f"--upload-pack=touch {ran}")
    assert not ran.exists()


def test_an_empty_repository_is_told(root, fetch):
    Upstream(root, "empty")
    assert "or the repository empty" in refusal(git.NoSuchRef, fetch, name="empty")


def test_a_repository_that_is_gone_is_told(upstream, fetch):
    assert "no repository at that address" in refusal(git.Refused, fetch, name="nothing")


@pytest.mark.parametrize("credentials", [git.Credentials(), git.Credentials(USER, "wrong")])
def test_wrong_credentials_are_told(upstream, fetch, credentials):
    assert "does not let these credentials in" in refusal(git.Refused, fetch, credentials=credentials)


@pytest.mark.parametrize("status", ["500", "503", "429"])
def test_a_server_in_trouble_is_nobodys_mistake(upstream, https, fetch, status):
    https.mood = status
    assert "did not answer" in refusal(git.Unavailable, fetch)


def test_no_redirect_is_followed(upstream, https, fetch, tmp_path_factory, root):
    with serving(HttpsGit, root, tmp_path_factory.mktemp("elsewhere")) as elsewhere:
        https.mood = elsewhere.url
        assert "redirects" in refusal(git.Refused, fetch)
        assert elsewhere.seen == []


def test_a_certificate_that_nobody_vouches_for_is_refused(upstream, fetch):
    assert "certificate is not trusted" in refusal(git.Refused, fetch, ca_file="")


def test_a_server_that_is_away_and_a_name_that_is_none(fetch):
    assert "did not answer" in refusal(git.Unavailable, fetch, url="https://127.0.0.1:1/a.git")
    assert "name of the repository's server" in refusal(git.Unavailable, fetch, url="https://nowhere.invalid/a.git")


def test_a_name_that_stands_for_a_forbidden_address_is_refused(fetch, monkeypatch):
    def resolve(*_, **__):
        return [(2, 1, 6, "", ("169.254.169.254", 443))]

    monkeypatch.setattr(fetching.socket, "getaddrinfo", resolve)
    assert "where no repository is" in refusal(git.Refused, fetch, url="https://git.example.com/a.git")


@pytest.mark.parametrize("scheme", ["file://", "ext::sh -c touch% ", "git://127.0.0.1/", "http://127.0.0.1:1/"])
def test_other_ways_than_https_and_ssh_are_closed_to_git_itself(upstream, tmp_path, scheme):
    """What the address's own check would let through by mistake."""
    folder = tmp_path / "into"
    folder.mkdir()
    program = Git(folder, environment(folder, {}, {}), LIMITS, lambda: None)
    program.run("init", "--quiet", "--bare", "--template=")
    done = program.run("fetch", "--end-of-options", f"{scheme}{upstream.bare}", "main")
    assert done.status == 128
    assert "not allowed" in done.errors


@pytest.mark.sshd
def test_a_host_key_that_changed_is_refused(upstream, ssh, fetch):
    for known in (ssh.other_known_hosts, ""):
        credentials = git.Credentials(ssh_key=ssh.key, known_hosts=known)
        said = refusal(git.Refused, fetch, url=f"{ssh.url}/assistant.git", credentials=credentials)
        assert "host key is none of those that are expected" in said


@pytest.mark.sshd
def test_a_key_that_does_not_open_is_told(upstream, ssh, fetch):
    credentials = git.Credentials(ssh_key=ssh.other_key, known_hosts=ssh.known_hosts)
    said = refusal(git.Refused, fetch, url=f"{ssh.url}/assistant.git", credentials=credentials)
    assert "does not let these credentials in" in said


# Bounds


def test_a_repository_that_is_too_large_is_stopped_on_the_way(upstream, fetch, tmp_path):
    upstream.commit({"data/big.bin": os.urandom(3_000_000)})
    assert "larger than" in refusal(git.TooLarge, fetch, limits=git.Limits(1_000_000, 30))
    assert max(path.stat().st_size for path in tmp_path.glob("into-*/**/*")) <= 1_000_000


def test_files_that_unpack_to_too_much_are_not_read(upstream, fetch):
    upstream.commit({"data/zeros.bin": bytes(11_000_000)})
    assert "more than 1000 files or 10000000 bytes" in refusal(git.TooLarge, contents, fetch())


@pytest.mark.parametrize("mood", ["hang", "trickle"])
def test_a_server_that_hangs_holds_nobody(upstream, https, fetch, mood):
    https.mood = mood
    began = time.monotonic()
    assert "within 2 seconds" in refusal(git.Unavailable, fetch, limits=git.Limits(1_000_000, 2))
    assert time.monotonic() - began < 10
    assert soon(lambda: not processes_about(https.url))


def test_who_watches_may_end_it_at_once_with_all_its_processes(upstream, https, fetch):
    class Cancelled(Exception):
        pass

    https.mood = "hang"
    began = time.monotonic()

    def check():
        if time.monotonic() - began > 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        fetch(check=check)
    assert time.monotonic() - began < 5
    assert soon(lambda: not processes_about(https.url))


FETCHES = """
import sys
from pathlib import Path
from environments.clients import git
url, folder, ca_file = sys.argv[1:]
credentials, limits = git.Credentials("robot", "token"), git.Limits(10**7, 60)
git.fetch(url, "main", Path(folder), credentials=credentials, limits=limits, ca_file=ca_file)
"""


@pytest.mark.skipif(not Path("/proc").exists(), reason="only Linux shows processes as files")
def test_a_worker_that_is_killed_takes_git_with_it(upstream, https, tmp_path):
    https.mood = "hang"
    (tmp_path / "into").mkdir()
    arguments = [f"{https.url}/assistant.git", str(tmp_path / "into"), str(https.ca_file)]
    worker = subprocess.Popen([sys.executable, "-c", FETCHES, *arguments], env=os.environ | {"PYTHONPATH": "."})
    assert soon(lambda: any(b"remote-https" in line for line in processes_about(https.url)))
    worker.kill()
    worker.wait()
    assert soon(lambda: not processes_about(https.url))
    # Nobody was left to remove them.
    assert handing.sweep(time.time() + 1) == 1


def soon(holds, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def test_progress_is_told(upstream, fetch):
    heard = []
    fetch(progress=heard.append)
    assert heard[-1] == 1
    assert all(0 <= part <= 1 for part in heard)


# Secrets


def processes_about(url: str) -> list[bytes]:
    """The command line of each running process that names the address."""
    return [line for line, _ in of_all_processes() if url.encode() in line]


def of_all_processes() -> list[tuple[bytes, bytes]]:
    """Command line and variables of each process that may be looked at, but this one."""
    seen = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int(folder.name) != os.getpid():
                seen.append(((folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()))
        except OSError:
            continue
    return seen


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux shows processes as files")
@pytest.mark.parametrize("way", ["https", pytest.param("ssh", marks=pytest.mark.sshd)])
def test_no_process_shows_a_secret_while_it_runs_and_none_is_left(upstream, https, request, fetch, tmp_path, way):
    upstream.commit({"data/big.bin": os.urandom(12_000_000)})
    options = {}
    if way == "ssh":
        ssh = request.getfixturevalue("ssh")
        credentials = git.Credentials(ssh_key=ssh.key, known_hosts=ssh.known_hosts)
        options = {"url": f"{ssh.url}/assistant.git", "credentials": credentials}
    secret = ssh.key.splitlines()[2].encode() if options else TOKEN.encode()
    seen, modes, ended = [], set(), threading.Event()

    def look():
        while not ended.is_set():
            seen.extend(of_all_processes())
            modes.update(modes_of_handed_over())

    looker = threading.Thread(target=look)
    looker.start()
    try:
        fetch(**options)
    finally:
        ended.set()
        looker.join()
    assert any(b"git" in line for line, _ in seen)
    assert not [line for line, variables in seen if secret in line + variables]
    assert modes == {(0o600, 0o700)}
    assert not list(handing.IN_MEMORY.glob(f"{handing.PREFIX}*"))
    into = [path for path in tmp_path.glob("into-*/**/*") if path.is_file()]
    assert into
    assert not [path for path in into if secret in path.read_bytes()]


def modes_of_handed_over() -> set[tuple[int, int]]:
    """The modes of each file of credentials that is there now, and of its folder."""
    modes = set()
    for file in handing.IN_MEMORY.glob(f"{handing.PREFIX}*/*"):
        with contextlib.suppress(OSError):
            modes.add((file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777))
    return modes


def test_git_sees_no_configuration_but_ours(upstream, fetch, tmp_path, monkeypatch):
    config = tmp_path / "evil"
    config.write_text(
        f'[core]\nsshCommand = touch {tmp_path}/ran\n[url "https://127.0.0.1:1/"]\ninsteadOf = https://\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {tmp_path}/ran")
    assert fetch().name == upstream.first
    shown = fetch().git.run("config", "--list", "--show-origin").text.decode()
    assert not re.search(r"^file:(?!.*repository/config)", shown, re.MULTILINE)


def test_what_a_killed_process_left_is_swept(tmp_path):
    for name in ("controlplane-git-old", "controlplane-git-new", "of-others"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_text("secret")
    os.utime(tmp_path / "controlplane-git-old", (0, 0))
    assert handing.sweep(time.time() - 60, tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["controlplane-git-new", "of-others"]
