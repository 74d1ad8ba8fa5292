"""Bundles as rows. `receiving.receive_bundle` reads and stores the bytes around it."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from accounts.actions import audit
from accounts.actor import Actor
from accounts.models import Project
from accounts.problems import InvalidFields
from environments import bundles, errors, names, packing, permissions
from environments.actions import pipeline_uploads
from environments.models import Bundle, Job, PipelineRun, Repository
from environments.states import ACTIVE_JOBS

COMMIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}", re.ASCII)
MAX_AUTHOR = 300
MAX_MESSAGE = 10_000


@dataclass(frozen=True)
class Source:
    """The version that a bundle was packed from, as its sender says, or git. `notes` become warnings of the bundle."""

    commit: str = ""
    author: str = ""
    message: str = ""
    ref: str = ""
    repository: Repository | None = None
    notes: tuple[str, ...] = ()


UNKNOWN = Source()


@dataclass(frozen=True)
class Registered:
    """`created` is False where the same bytes were there already."""

    bundle: Bundle
    created: bool


def limits() -> packing.Limits:
    return packing.Limits()


def check_can_register(by: Actor, project: Project, source: Source = UNKNOWN) -> None:
    """Refuse what can be refused before the first byte is read."""
    permissions.check_can_train(by, project)
    wrong = dict(_wrong(source))
    if wrong:
        field, cure = next(iter(wrong.items()))
        raise InvalidFields(f"{field}: {cure}", errors={field: [cure] for field, cure in wrong.items()})
    if source.ref:
        names.check_ref(source.ref)


def _wrong(source: Source) -> Iterator[tuple[str, str]]:
    if source.commit and not COMMIT.fullmatch(source.commit):
        yield "commit", "Up to 100 letters, digits, '.', '_', '/' and '-', as Git names a commit."
    if len(source.author) > MAX_AUTHOR or not source.author.isprintable():
        yield "author", f"Up to {MAX_AUTHOR} printable characters, as in Ana Otter <ana@example.com>."
    if len(source.message) > MAX_MESSAGE or "\0" in source.message:
        yield "message", f"Up to {MAX_MESSAGE} characters of text."


@transaction.atomic
def register(
    *, project: Project, contents: bundles.Project, sha256: str, size: int, by: Actor, source: Source = UNKNOWN
) -> Registered:
    """The row of a bundle that was read and is about to be stored. The same bytes stay what they were first."""
    check_can_register(by, project, source)
    bundle, created = Bundle.objects.get_or_create(
        project=project,
        hash=sha256,
        defaults={
            "size": size,
            "by": by.user,
            "by_name": by.name,
            "files": list(contents.files),
            "counts": contents.counts,
            "commit": source.commit,
            "author": source.author,
            "message": source.message,
            "ref": source.ref,
            "repository": source.repository,
            "warnings": [*source.notes, *contents.warnings],
        },
    )
    if created:
        after = {"hash": sha256, "size": size, "commit": source.commit, "counts": contents.counts}
        if source.repository:
            after |= {"repository": source.repository.name, "ref": source.ref}
        _audit("bundle.create", bundle, by, after=after)
        if source.repository is None:
            pipeline_uploads.received(bundle=bundle, by=by)
    else:
        bundle = _bring_back(bundle, by)
    return Registered(bundle, created)


def _bring_back(bundle: Bundle, by: Actor) -> Bundle:
    """A bundle whose bytes are about to be stored again. Locked: they may just be going."""
    locked = _lock(bundle)
    if locked.removed_at:
        locked.removed_at = None
        locked.save(update_fields=["removed_at"])
        _audit("bundle.restore", locked, by, after={"hash": locked.hash})
    return locked


def newest(project: Project) -> Bundle:
    """The bundle that came last, of those whose bytes are kept."""
    bundle = Bundle.objects.filter(project=project, removed_at=None).order_by("-pk").first()
    if bundle is None:
        raise errors.NoBundle(
            f"Project {project.name} has no bundle. Send one: POST /api/v1/bundles/ with a zip of the Rasa project."
        )
    return bundle


def hold(bundle: Bundle) -> None:
    """Nothing removes the bytes of `bundle` until the transaction ends. Raises `BundleRemoved`."""
    check_there(_lock(bundle))


def check_there(bundle: Bundle) -> None:
    """Raises `BundleRemoved` where its bytes went to save room."""
    if bundle.removed_at:
        raise errors.BundleRemoved(
            f"The bytes of bundle {bundle.pk} were removed to save room. Send the same project again, or use a newer "
            "bundle.",
            bundle=str(bundle.pk),
        )


def _lock(bundle: Bundle) -> Bundle:
    # Rows that point to it, such as a job's, may be made meanwhile.
    return Bundle.objects.select_for_update(no_key=True, of=("self",)).get(pk=bundle.pk)


@transaction.atomic
def remove(*, bundle: Bundle, by: Actor, why: str) -> None:
    """Let go of the bytes of a bundle that nothing needs; the sweep takes the file. Its row stays, so that models tell
    from which data they came. Raises `BundleRemoved` or `BundleInUse`."""
    hold(bundle)
    needed = uses(bundle.project).get(bundle.pk, [])
    if needed:
        raise errors.BundleInUse(f"Bundle {bundle.pk} is needed: {'; '.join(needed)}.", uses=needed)
    bundle.removed_at = timezone.now()
    bundle.save(update_fields=["removed_at"])
    _audit("bundle.remove", bundle, by, before={"hash": bundle.hash, "size": bundle.size}, after={"reason": why})


def uses(project: Project) -> dict[int, list[str]]:
    """What each bundle of `project` is needed for, by the key of its row."""
    found: dict[int, list[str]] = defaultdict(list)
    jobs = Job.objects.filter(project=project, status__in=ACTIVE_JOBS).exclude(bundle=None)
    for bundle, number in jobs.values_list("bundle_id", "pk"):
        found[bundle].append(f"job {number} works on it")
    runs = PipelineRun.objects.filter(pipeline__project=project, status__in=ACTIVE_JOBS).exclude(bundle=None)
    for bundle, number in runs.values_list("bundle_id", "pk"):
        found[bundle].append(f"run {number} of a pipeline works on it")
    last = Bundle.objects.filter(project=project, removed_at=None).order_by("-pk").values_list("pk", flat=True).first()
    if last is not None:
        found[last].append("it is the newest, which is taken where none is named")
    return found


def _audit(action: str, bundle: Bundle, by: Actor, *, before: object = None, after: object = None) -> None:
    audit.record(by=by, action=action, object=f"bundle:{bundle.pk}", project=bundle.project, before=before, after=after)
