"""Fetches: a bundle is made of what a git repository holds at a branch, a tag or a commit."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from celery import shared_task
from django.conf import settings

from accounts.problems import Problem
from environments import packing
from environments.actions import jobs
from environments.actions.bundles import Source, limits
from environments.clients import git
from environments.clients.git import tree
from environments.errors import BundleInvalid, RepositoryRefused, RepositoryTooLarge, RepositoryUnavailable
from environments.models import Job, Repository
from environments.receiving import full_storage_told, receive_bundle, spool
from workers.tasks import running
from workers.watching import Watch

PREFIX = "git-"
# What packing, validating and storing may take beside git's own time.
OWN_SECONDS = 300.0

PROBLEMS: dict[type[git.GitError], type[Problem]] = {
    git.Refused: RepositoryRefused,
    git.NoSuchRef: RepositoryRefused,
    git.TooLarge: RepositoryTooLarge,
    git.UnusableTree: BundleInvalid,
    git.Unavailable: RepositoryUnavailable,
}


@shared_task(name="workers.fetch")
def fetch(job_id: int) -> None:
    """Run one fetch, if it still waits to be run."""
    running.run(job_id, _fetch, seconds=settings.GIT_TIMEOUT + OWN_SECONDS)


def _fetch(job: Job, watch: Watch) -> None:
    by = jobs.actor(job)
    repository = _repository(job)
    try:
        with (
            full_storage_told(),
            tempfile.TemporaryDirectory(prefix=PREFIX, dir=spool()) as folder,
            tempfile.TemporaryFile(dir=spool()) as packed,
        ):
            source = _brought(repository, job.options["ref"], Path(folder), packed, watch)
            watch.step("reading the project")
            packed.seek(0)
            receive_bundle(project=job.project, stream=packed, by=by, source=source, job=job)
    except git.GitError as error:
        raise PROBLEMS[type(error)](str(error)) from error


def _repository(job: Job) -> Repository:
    repository = Repository.objects.filter(pk=job.options["repository"], project=job.project, removed_at=None).first()
    if repository is None:
        raise RepositoryRefused("The repository was removed meanwhile. Define it again.")
    return repository


def _brought(repository: Repository, ref: str, folder: Path, packed: BinaryIO, watch: Watch) -> Source:
    """Write the project at `ref` into `packed`, as a zip that is the same for the same files."""
    step = f"fetching {ref} of {repository.name}"
    watch.step(step)
    commit = git.fetch(
        repository.url,
        ref,
        folder,
        credentials=git.Credentials(repository.username, repository.token, repository.ssh_key, repository.known_hosts),
        limits=git.Limits(settings.GIT_MAX_BYTES, settings.GIT_TIMEOUT),
        ca_file=settings.GIT_CA_FILE,
        check=watch.check,
        # The server has most of the work, so what is left weighs little.
        progress=lambda part: watch.step(step, progress=0.9 * part),
    )
    watch.step(f"packing {commit.name[:10]}")
    bounds = limits()
    found = tree.read(commit, repository.folder, packing.is_packed, bounds.entries, bounds.unpacked)
    pointers: list[str] = []
    packing.pack_files(_contents(commit, found, pointers), packed)
    notes = (*_about_modules(found), *_about_lfs(pointers))
    for note in notes:
        watch.log(f"{note}\n")
    return Source(commit.name, commit.author, commit.message, ref, repository, notes)


def _contents(commit: git.Commit, found: tree.Tree, pointers: list[str]) -> Iterator[tuple[str, bytes]]:
    """Each file with its bytes, in the order of their paths; those that only point to LFS are added to `pointers`."""
    paths = sorted(found.files)
    contents = commit.git.blobs([found.files[path].name for path in paths])
    for path, content in zip(paths, contents, strict=True):
        if tree.is_lfs_pointer(content):
            pointers.append(path)
        yield path, content


def _about_modules(found: tree.Tree) -> list[str]:
    if not found.modules:
        return []
    return [f"Submodules are not fetched: {_some(found.modules)}. Put what the assistant needs into the repository."]


def _about_lfs(pointers: list[str]) -> list[str]:
    if not pointers:
        return []
    return [
        f"Files of Git LFS are not fetched, only what points to them: {_some(pointers)}. Commit what the assistant "
        "needs as ordinary files."
    ]


def _some(paths: tuple[str, ...] | list[str]) -> str:
    more = len(paths) - 5
    return ", ".join(paths[:5]) + (f" and {more} more" if more > 0 else "")
