"""A fetch from claim to bundle, with real git over HTTPS, and each way it can end otherwise."""

import io
import os

import pytest

from accounts.models import AuditEvent, Project
from environments import bundles, stores
from environments.actions import jobs, queue, repositories
from environments.models import Bundle
from environments.packing import Limits
from tests.factories import take
from tests.git_servers import TOKEN, USER, HttpsGit, Upstream, serving
from tests.projects import tree
from workers.tasks import fetching, storage

pytestmark = pytest.mark.git


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def upstream(root):
    made = Upstream(root)
    made.first = made.commit(tree() | {"README.md": "An otter.", "models/old.tar.gz": "x"})
    return made


@pytest.fixture
def https(root, tmp_path_factory, settings):
    with serving(HttpsGit, root, tmp_path_factory.mktemp("https")) as server:
        settings.GIT_CA_FILE = str(server.ca_file)
        settings.GIT_TIMEOUT = 30
        yield server


@pytest.fixture
def repository(https, by_ben):
    url = f"{https.url}/assistant.git"
    project = Project.objects.get()
    return repositories.define(project=project, name="assistant", by=by_ben, url=url, username=USER, token=TOKEN)


def run(repository, by, ref=""):
    job = repositories.fetch(repository=repository, by=by, ref=ref)
    fetching.fetch(job.pk)
    job.refresh_from_db()
    return job


def log_of(job) -> str:
    return "".join(job.log.values_list("text", flat=True))


def test_a_commit_becomes_a_bundle_that_says_where_it_came_from(upstream, repository, by_ben):
    job = run(repository, by_ben)
    assert (job.status, job.error_detail, job.progress) == ("succeeded", "", 1.0)
    bundle = Bundle.objects.get()
    assert job.bundle == bundle
    assert (bundle.commit, bundle.author, bundle.message) == (
        upstream.first,
        "Ana Otter <ana@example.com>",
        "Teach it to greet",
    )
    assert (bundle.ref, bundle.repository, bundle.by_name) == ("main", repository, "ben")
    assert bundle.files == ["README.md", "config.yml", "data/nlu.yml", "data/rules.yml", "domain.yml"]
    with stores.bundles().open(bundle.hash) as stored:
        assert bundles.read(io.BytesIO(stored.read()), Limits()).counts == bundle.counts
    assert AuditEvent.objects.get(action="bundle.create").after["repository"] == "assistant"
    assert "fetching main of assistant" in log_of(job)


def test_the_same_content_again_is_the_same_bundle(upstream, repository, by_ben):
    first = run(repository, by_ben)
    upstream.commit({"models/new.tar.gz": "y", ".github/ci.yml": "a: 1"}, "Nothing that is trained from")
    assert run(repository, by_ben).bundle == first.bundle
    upstream.commit({"data/more.yml": "nlu: [{intent: greet, examples: '- hey'}]"}, "Hear hey")
    other = run(repository, by_ben)
    assert other.bundle != first.bundle
    assert other.bundle.message == "Hear hey"
    assert run(repository, by_ben, ref=upstream.first).bundle == first.bundle


def test_a_forced_push_is_a_new_bundle(upstream, repository, by_ben):
    run(repository, by_ben)
    forced = upstream.commit({"data/nlu.yml": tree()["data/nlu.yml"] + "    - ciao\n"}, amend=True)
    assert run(repository, by_ben).bundle.commit == forced


def test_a_project_that_cannot_be_trained_from_fails_with_its_lines(upstream, repository, by_ben):
    upstream.commit({"data/nlu.yml": "nlu:\n- intent: [\n"})
    job = run(repository, by_ben)
    assert (job.status, job.error_code) == ("failed", "bundle-invalid")
    assert "data/nlu.yml" in job.error_detail
    assert not Bundle.objects.exists()


def test_submodules_and_lfs_are_told_as_warnings(upstream, repository, root, by_ben):
    other = Upstream(root, "other")
    other.commit({"nlu.yml": "nlu: []"})
    upstream.submodule(other, "data/shared")
    upstream.commit({"lookup/cities.txt": "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n"})
    job = run(repository, by_ben)
    assert job.status == "succeeded"
    assert [warning.split(":")[0] for warning in job.bundle.warnings[:2]] == [
        "Submodules are not fetched",
        "Files of Git LFS are not fetched, only what points to them",
    ]
    assert "data/shared" in log_of(job)


def test_a_symbolic_link_out_of_the_repository_fails(upstream, repository, by_ben):
    (upstream.work / "data/secret.yml").symlink_to("/etc/passwd")
    upstream.commit_all()
    job = run(repository, by_ben)
    assert (job.status, job.error_code) == ("failed", "bundle-invalid")
    assert job.error_detail.startswith("data/secret.yml is a symbolic link that leads out of the repository.")


@pytest.mark.parametrize(
    ("mood", "status", "code"),
    [("401", "failed", "repository-refused"), ("503", "errored", "repository-unavailable")],
)
def test_whose_fault_it_is(upstream, https, repository, by_ben, mood, status, code):
    https.mood = mood
    job = run(repository, by_ben)
    assert (job.status, job.error_code) == (status, code)
    assert TOKEN not in job.error_detail + log_of(job)


def test_a_ref_that_is_gone_fails(upstream, repository, by_ben):
    job = run(repository, by_ben, ref="gone")
    assert (job.status, job.error_code) == ("failed", "repository-refused")
    assert "no branch, tag or commit gone" in job.error_detail


def test_a_repository_that_is_too_large_fails_and_leaves_nothing(upstream, repository, by_ben, settings, home):
    settings.GIT_MAX_BYTES = 1000
    job = run(repository, by_ben)
    assert (job.status, job.error_code) == ("failed", "repository-too-large")
    assert not list((home / "spool").iterdir())


def test_a_server_that_hangs_ends_with_the_time(upstream, https, repository, by_ben, settings):
    settings.GIT_TIMEOUT = 1
    https.mood = "hang"
    job = run(repository, by_ben)
    assert (job.status, job.error_code) == ("errored", "repository-unavailable")


def test_a_repository_that_was_removed_meanwhile_fails(upstream, repository, by_ben):
    job = repositories.fetch(repository=repository, by=by_ben)
    repositories.remove(repository=repository, by=by_ben)
    fetching.fetch(job.pk)
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("failed", "repository-refused")


def test_who_lost_the_grant_meanwhile_gets_no_bundle(upstream, repository, ben, by_ben):
    job = repositories.fetch(repository=repository, by=by_ben)
    take(ben, "training.write")
    fetching.fetch(job.pk)
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("failed", "missing-grant")
    assert not Bundle.objects.exists()


def test_what_a_killed_fetch_left_behind_is_swept(home):
    for name in ("git-old", "git-new"):
        (home / "spool" / name / "repository").mkdir(parents=True)
    os.utime(home / "spool/git-old", (0, 0))
    assert storage.sweep_fetches() == 1
    assert [folder.name for folder in (home / "spool").iterdir()] == ["git-new"]


def test_a_message_that_comes_twice_fetches_once(upstream, https, repository, by_ben):
    job = run(repository, by_ben)
    seen = len(https.seen)
    fetching.fetch(job.pk)
    assert len(https.seen) == seen
    assert queue.TASKS["fetch"] == "workers.fetch"


def test_a_run_that_is_over_stops_git_and_keeps_nothing(upstream, https, repository, by_ben, monkeypatch):
    """What a cancelled run sees: the watch tells it, git ends, and no bundle comes."""
    https.mood = "hang"
    monkeypatch.setattr(fetching.Watch, "check", over)
    job = repositories.fetch(repository=repository, by=by_ben)
    fetching.fetch(job.pk)
    job.refresh_from_db()
    assert job.status == "cancelled"
    assert not Bundle.objects.exists()


def over(self):
    raise jobs.Cancelled
