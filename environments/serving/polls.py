"""The work of the serving route: which tag a token opens, who polls, and what the poll gets.

Knows nothing of HTTP: the caller hands in how an archive is served.
"""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from django.utils import timezone

from accounts.authentication import is_installation_token
from accounts.models import Project
from accounts.problems import NotFound, Problem, Unauthorized
from environments import errors, names
from environments.decisions import ARCHIVE, Answer, Decision, Record, Situation, broke_off, decide, hear
from environments.models import Environment, TrainedModel
from environments.serving import ledger, lookup, outages, service_tokens, settling
from environments.serving.ledger import Entry

logger = logging.getLogger(__name__)

ONE_ENTITY_TAG = re.compile(r'(?:W/)?"([^",]*)"|([^",*\s]+)')

Served = TypeVar("Served")


@dataclass(frozen=True)
class Pull:
    """What a service token opens. `environment` is None for a tag that no environment pulls: not recorded.
    `promotion` is the number of the one that put the model there. `current` is False for the last known answer of
    this process, given while the database is away. `frozen`: after a restore, who has a model keeps it."""

    environment: Environment | None
    model: TrainedModel | None
    promotion: int | None = None
    current: bool = True
    frozen: bool = False


# The last answer to the same question, for as long as the database is away.
_last_known: dict[tuple[str, str, str, str], Pull] = {}


def find_pull(*, token: str, project: str, tag: str, environment: str) -> Pull:
    """What `token` opens of `tag`. The tag is read each time: a cached one would hand an old archive to a server that
    has just loaded the new one. While the database is away the last known answer is given."""
    # A token of one environment opens it whatever a server calls itself.
    question = (token, project, tag, environment if is_installation_token(token) else "")
    try:
        with outages.reading.asked():
            pull = _find_pull(token, project, names.canonical_tag(tag), environment)
    except ledger.DATABASE_ERRORS as error:
        if question not in _last_known:
            raise _database_away() from error
        return replace(_last_known[question], current=False)
    except Problem:
        _last_known.pop(question, None)
        raise
    if pull.model is not None or question in _last_known:
        _last_known[question] = pull
    return pull


def _database_away() -> errors.DatabaseAway:
    detail = "The database cannot be reached; a Rasa server keeps what it has loaded."
    return errors.DatabaseAway(detail, headers={"Retry-After": "5"})


def _find_pull(token: str, project: str, tag: str, environment: str) -> Pull:
    if is_installation_token(token):
        return _installation_pull(project, tag, environment)
    own = service_tokens.find(token)
    if own is None:
        raise Unauthorized("The service token is unknown; the Connect tab shows the right one.")
    if own.project != project or own.tag != tag:
        raise errors.WrongServiceToken(
            f"This is the token of {own.environment.name} in {own.project}, which pulls the tag {own.tag}, not {tag}."
        )
    return Pull(own.environment, own.model, own.promotion, frozen=own.frozen)


def _installation_pull(project_name: str, tag: str, environment_name: str) -> Pull:
    found = lookup.by_name(project_name, environment_name or tag)
    if found is not None and found.tag == tag:
        return Pull(found.environment, found.model, found.promotion, frozen=found.frozen)
    if environment_name:
        raise errors.WrongServiceToken(f"No environment {environment_name} pulls the tag {tag}.")
    project = Project.objects.filter(name=project_name).first()
    if project is None:
        raise NotFound(f"There is no project {project_name}.")
    frozen = Environment.objects.frozen().filter(project=project).exists()
    return Pull(environment=None, model=tagged(project, tag), frozen=frozen)


def tagged(project: Project, tag: str) -> TrainedModel | None:
    """The model that carries the tag; `latest` is the one registered last, `active` another name of `production`."""
    of_project = TrainedModel.objects.present().filter(project=project)
    return of_project.tagged(tag).select_related("project").defer("metadata").first()


def unavailable(model: TrainedModel | None) -> errors.ArchiveDamaged:
    """What a server hears that has a model, while the archive it should get cannot be served."""
    name = model.name if model else "the model"
    return errors.ArchiveDamaged(f"The stored archive of {name} is damaged. Upload it again, or promote another model.")


def entity_tag(header: str | None) -> str | None:
    """The one entity tag of an `If-None-Match`; None for a list, `*` or nothing: such a request is no poll."""
    match = ONE_ENTITY_TAG.fullmatch((header or "").strip())
    return (match[1] or match[2]) if match else None


def keeps(pull: Pull, etag: str) -> bool:
    """Whether who pulls a tag that no environment pulls keeps what it has: its project is frozen."""
    return pull.frozen and ARCHIVE.fullmatch(etag) is not None


def replica_name(sent: str | None, address: str) -> str:
    """The name a poll gives its replica, else its address. A literal `${HOSTNAME}` was quoted by mistake."""
    name = (sent or "").strip()
    return name if name and len(name) <= 200 and name.isprintable() and "${" not in name else address


def take(
    *,
    environment: Environment,
    pull: Pull,
    name: str,
    address: str,
    etag: str,
    serve: Callable[[TrainedModel], Served],
) -> tuple[Decision, Served | None]:
    """Record one poll of the replica `name` of `environment` and answer it. `serve` makes the answer that carries an
    archive; where it raises `ArchiveDamaged` the next best is decided, and where it raises anything else the poll was
    heard and nothing was downloaded. With a `pull` that is not current, a process that has a model keeps it where the
    ledger knows of a newer promotion, as another web process saw it."""
    model = pull.model
    with ledger.hold(environment.pk, name):
        entry = replace(_entry(environment, name, address), address=address)
        known = _is_known(environment, etag, entry.record, model)
        outdated = not pull.current and (entry.record.promotion or 0) > (pull.promotion or 0)
        try:
            if outdated and known:
                raise _database_away()
            decision, served = _decide(environment, pull, entry.record, etag, known, serve)
        except Exception:
            situation = _situation(environment, pull, set(), list)
            if outdated:
                situation = replace(situation, target=entry.record.target, promotion=entry.record.promotion)
            now = timezone.now().timestamp()
            heard = hear(entry.record, etag=etag, known=known, situation=situation, now=now)
            ledger.save(replace(entry, record=heard), notable=heard.proved != entry.record.proved)
            raise
        saved = ledger.save(replace(entry, record=decision.record), notable=decision.notable)
    if decision.record.proof_due and not saved.record.proof_due and environment.follows_id is None:
        _settle(environment)
    return decision, served


def transfer_broke_off(*, environment: Environment, name: str, etag: str, model: TrainedModel) -> None:
    """The replica did not get the whole archive that its poll with `etag` was answered with."""
    with ledger.hold(environment.pk, name):
        try:
            entry = ledger.find(environment.pk, name)
        except ledger.DATABASE_ERRORS:
            return
        if entry is not None:
            record = broke_off(entry.record, etag=etag, model=model.hash)
            ledger.save(replace(entry, record=record), notable=record.stuck_since != entry.record.stuck_since)


def _settle(environment: Environment) -> None:
    try:
        with outages.writing.asked():
            settling.settle(environment.pk, timezone.now())
    except ledger.DATABASE_ERRORS:
        logger.warning("The database cannot be reached; the promotion to %s is settled later.", environment.name)


def _entry(environment: Environment, name: str, address: str) -> Entry:
    now = timezone.now().timestamp()
    fresh = Entry(environment_id=environment.pk, name=name, address=address, first_seen=now, record=Record())
    try:
        return ledger.find(environment.pk, name) or fresh
    except ledger.DATABASE_ERRORS:
        return fresh


def _is_known(environment: Environment, etag: str, record: Record, model: TrainedModel | None) -> bool:
    """Whether the ETag names a model of the project, deleted ones too."""
    if etag == record.model or (model is not None and etag == model.hash):
        return True
    if not ARCHIVE.fullmatch(etag):
        return False
    try:
        with outages.reading.asked():
            return TrainedModel.objects.filter(project_id=environment.project_id, hash=etag).exists()
    except ledger.DATABASE_ERRORS:
        return True  # It looks like one of ours; taken for one, the server keeps what it has.


def _decide(
    environment: Environment,
    pull: Pull,
    record: Record,
    etag: str,
    known: bool,
    serve: Callable[[TrainedModel], Served],
) -> tuple[Decision, Served | None]:
    """Decide, and serve what was decided; an archive that turns out damaged is left out and decided again."""
    model = pull.model
    damaged: set[str] = set()
    candidates: dict[str, TrainedModel] = {model.hash: model} if model else {}

    def proven() -> Sequence[str]:
        found = {candidate.hash: candidate for candidate in _proven(environment) if candidate.hash not in damaged}
        candidates.update(found)
        return list(found)

    while True:
        situation = _situation(environment, pull, damaged, proven)
        decision = decide(record, etag=etag, known=known, situation=situation, now=timezone.now().timestamp())
        if decision.answer is not Answer.SERVE or decision.model is None:
            return decision, None
        try:
            return decision, serve(candidates[decision.model])
        except errors.ArchiveDamaged:
            damaged.add(decision.model)


def _situation(
    environment: Environment, pull: Pull, damaged: set[str], proven: Callable[[], Sequence[str]]
) -> Situation:
    model = pull.model
    return Situation(
        target=model.hash if model else None,
        loadable=model is not None and model.damaged_at is None and model.hash not in damaged,
        workers=environment.workers,
        interval=environment.pull_interval,
        proven=proven,
        promotion=pull.promotion,
        frozen=pull.frozen,
    )


def _proven(environment: Environment) -> list[TrainedModel]:
    try:
        with outages.reading.asked():
            return ledger.proven_models(environment)
    except ledger.DATABASE_ERRORS:
        return []
