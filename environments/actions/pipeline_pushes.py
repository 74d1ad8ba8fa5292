"""Pushes of git servers: is it signed with the pipeline's secret, is it of a branch that counts, did it come before."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from django.db import transaction

from accounts.actor import PIPELINE, Actor
from accounts.problems import BadRequest, SecretUnreadable
from environments.actions import pipeline_rows, pipeline_runs
from environments.errors import PushNotSigned
from environments.models import Pipeline, PipelineRun
from environments.pipeline_parts import LONGEST_REF, OWN_BRANCH
from environments.states import Trigger

BRANCH = "refs/heads/"
# A branch that was deleted has this commit after the push.
NO_COMMIT = "0" * 40
# Compared with where there is no secret, so that it takes as long.
NOBODYS = "a secret that no git server has"


@dataclass(frozen=True)
class Signature:
    """What a git server sends beside the body: GitHub and Gitea sign it with HMAC-SHA256, GitLab sends the secret."""

    hmac_sha256: str = ""
    token: str = ""

    def fits(self, secret: str, body: bytes) -> bool:
        """In a time that tells nothing of the secret."""
        wanted = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        signed = hmac.compare_digest(self.hmac_sha256.encode(), wanted.encode())
        given = hmac.compare_digest(self.token.encode(), secret.encode())
        return signed or given


@dataclass(frozen=True)
class Push:
    """A branch, and the commit that it is at from then on."""

    branch: str
    commit: str

    @property
    def key(self) -> str:
        """The same for a push that comes again: both are signed, other than the number of a delivery."""
        return f"{self.branch}@{self.commit}"


def check_signed(pipeline: Pipeline | None, signature: Signature, body: bytes) -> Pipeline:
    """The pipeline, if the push is signed with its secret. One that is not there is refused in the same words."""
    try:
        secret = pipeline.push_secret if pipeline else ""
    except SecretUnreadable:
        secret = ""
    fits = signature.fits(secret or NOBODYS, body)
    if pipeline is None or not secret or not fits:
        raise PushNotSigned(
            "The push is not signed with the secret of a pipeline of that name. Make a new secret on the pipeline's "
            "page, and give it to the git server.",
            headers={"WWW-Authenticate": 'Signature realm="controlplane"'},
        )
    return pipeline


def read(document: Any) -> Push | None:
    """The push that a git server tells of; None for what is no push to a branch: a tag, a branch that went."""
    if not isinstance(document, Mapping):
        raise BadRequest("A push is a JSON object, as GitHub, Gitea and GitLab send it.")
    ref, commit = document.get("ref"), document.get("after")
    if not isinstance(ref, str) or not isinstance(commit, str) or not ref.startswith(BRANCH) or commit == NO_COMMIT:
        return None
    branch = ref.removeprefix(BRANCH)
    usable = branch.isprintable() and len(branch) <= LONGEST_REF and not branch.startswith("-")
    return Push(branch, commit[:64]) if usable and commit.isalnum() else None


@transaction.atomic
def start(*, pipeline: Pipeline, push: Push, address: str) -> tuple[PipelineRun | None, bool]:
    """The run that the push begins, and whether it is new; None where its branch does not count for the pipeline."""
    locked = Pipeline.objects.select_for_update(of=("self",)).told().get(pk=pipeline.pk)
    if not _counts(locked, push.branch):
        return None, False
    before = pipeline_runs.find_push(locked, push.key)
    if before is not None:
        return before, False
    by = Actor(user=None, via=PIPELINE, address=address)
    run = pipeline_runs.start(pipeline=locked, trigger=Trigger.PUSH, by=by, ref=push.branch, push_key=push.key)
    return run, True


def _counts(pipeline: Pipeline, branch: str) -> bool:
    declared = pipeline_rows.spec_of(pipeline)
    if declared.on.push != (OWN_BRANCH,):
        return any(fnmatchcase(branch, pattern) for pattern in declared.on.push)
    repository = pipeline_rows.repository(pipeline.project, declared.source.repository or "")
    return branch == (declared.source.ref or (repository.ref if repository else ""))
