"""Bundles as rows. `receiving.receive_bundle` reads and stores the bytes around it."""

import re
from dataclasses import dataclass

from django.db import transaction

from accounts.actions import audit
from accounts.actor import Actor
from accounts.models import Project
from accounts.problems import InvalidFields
from environments import bundles, packing, permissions
from environments.models import Bundle

COMMIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}", re.ASCII)


@dataclass(frozen=True)
class Registered:
    """`created` is False where the same bytes were there already."""

    bundle: Bundle
    created: bool


def limits() -> packing.Limits:
    return packing.Limits()


def check_can_register(by: Actor, project: Project, commit: str = "") -> None:
    """Refuse what can be refused before the first byte is read."""
    permissions.check_can_train(by, project)
    if commit and not COMMIT.fullmatch(commit):
        cure = "Up to 100 letters, digits, '.', '_', '/' and '-', as Git names a commit."
        raise InvalidFields(f"commit: {cure}", errors={"commit": [cure]})


@transaction.atomic
def register(
    *, project: Project, contents: bundles.Project, sha256: str, size: int, by: Actor, commit: str = ""
) -> Registered:
    """The row of a bundle that was read and is about to be stored. `commit` names the version it was packed from."""
    check_can_register(by, project, commit)
    bundle, created = Bundle.objects.get_or_create(
        project=project,
        hash=sha256,
        defaults={
            "size": size,
            "by": by.user,
            "by_name": by.name,
            "files": list(contents.files),
            "counts": contents.counts,
            "commit": commit,
        },
    )
    if created:
        after = {"hash": sha256, "size": size, "commit": commit, "counts": contents.counts}
        audit.record(by=by, action="bundle.create", object=f"bundle:{bundle.pk}", project=project, after=after)
    return Registered(bundle, created)
