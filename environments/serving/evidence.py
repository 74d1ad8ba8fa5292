"""What is known of environments at one moment, gathered with a constant number of queries."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from environments.models import Environment, Listening, Promotion, ServerCheck, Tag, TrainedModel
from environments.serving import ledger
from environments.serving.ledger import Entry

# `Listening.until` older than this: no web process hears polls now.
LISTENS_WITHIN = timedelta(seconds=15)
# A cross-check says something of now for so many of its intervals, and so long besides.
CHECKS_THAT_COUNT = 3
# It is noted every second. Older than this: what was heard since is not written yet.
NOTED_WITHIN = timedelta(seconds=3)


@dataclass(frozen=True)
class Evidence:
    """`listening_since`: polls are heard without a gap since then; None if nobody listens now. `names` maps hashes
    that replicas have to models' names, `promoted` are those of them ever promoted here. `checked_model` is the model
    of this environment's history that the server named in its last answer to `/status`. `heard_until` is until when
    all heartbeats are known, None: until now."""

    environment: Environment
    now: datetime
    listening_since: datetime | None
    target: TrainedModel | None
    promotion: Promotion | None
    entries: Sequence[Entry]
    names: dict[str, str]
    promoted: frozenset[str]
    check: ServerCheck | None
    checked_model: TrainedModel | None
    heard_until: datetime | None = None

    def silence(self, entry: Entry) -> float:
        """Seconds without a poll, of the time in which one would be heard and known."""
        until = self.heard_until or self.now
        heard = ledger.at(entry.record.last_poll or entry.first_seen)
        return (until - max(heard, self.listening_since or until)).total_seconds()

    @property
    def recent_check(self) -> ServerCheck | None:
        """The cross-check, unless nobody asks any more: what the server said long ago says nothing of now."""
        asked = self.check.checked_at if self.check else None
        outdated = CHECKS_THAT_COUNT * self.environment.check_every + LISTENS_WITHIN
        return self.check if asked and abs(self.now - asked) < outdated else None


def _owner_id(environment: Environment) -> int:
    return environment.follows_id or environment.pk


def _targets(environments: Sequence[Environment]) -> dict[tuple[int, str], TrainedModel]:
    projects = {environment.project_id for environment in environments}
    names = {environment.tag_name for environment in environments}
    tags = Tag.objects.filter(project__in=projects, name__in=names).select_related("model").defer("model__metadata")
    return {(tag.project_id, tag.name): tag.model for tag in tags}


def _newest_promotions(environments: Sequence[Environment]) -> dict[int, Promotion]:
    newest = Promotion.objects.newest_of({_owner_id(environment) for environment in environments})
    return {promotion.environment_id: promotion for promotion in newest.told()}


def _history(
    environments: Sequence[Environment], hashes: set[str], model_ids: set[str]
) -> tuple[dict[int, set[str]], dict[tuple[int, str], TrainedModel]]:
    """Of the models ever promoted: environment → hashes, and (environment, model id) → model."""
    owners = {_owner_id(environment) for environment in environments}
    wanted = Q(model__hash__in=hashes) | Q(model__model_id__in=model_ids)
    promotions = Promotion.objects.filter(wanted, environment__in=owners).order_by()
    pairs = list(promotions.values_list("environment_id", "model_id").distinct())
    models = TrainedModel.objects.defer("metadata").in_bulk([model for _, model in pairs if model is not None])
    promoted: dict[int, set[str]] = defaultdict(set)
    by_id: dict[tuple[int, str], TrainedModel] = {}
    for owner, pk in pairs:
        if pk is not None:
            promoted[owner].add(models[pk].hash)
            by_id[owner, models[pk].model_id] = models[pk]
    return promoted, by_id


def gather(environments: Iterable[Environment], now: datetime) -> list[Evidence]:
    """The evidence of each environment. `project` and `follows` of them should be loaded already."""
    chosen = list(environments)
    targets, newest = _targets(chosen), _newest_promotions(chosen)
    entries: dict[int, list[Entry]] = defaultdict(list)
    for entry in ledger.entries(chosen):
        entries[entry.environment_id].append(entry)
    checks = {check.environment_id: check for check in ServerCheck.objects.filter(environment__in=chosen)}
    hashes = {entry.record.model for of_one in entries.values() for entry in of_one if entry.record.model}
    projects = {environment.project_id for environment in chosen}
    rows = TrainedModel.objects.filter(project__in=projects, hash__in=hashes).order_by("pk")
    names = {(project, sha256): name for project, sha256, name in rows.values_list("project", "hash", "name")}
    promoted, by_id = _history(chosen, hashes, {check.model_id for check in checks.values() if check.model_id})
    owners = {environment.pk: _owner_id(environment) for environment in chosen}
    listening = Listening.objects.filter(until__gte=now - LISTENS_WITHIN).order_by("-until").first()
    evidence = []
    for environment in chosen:
        owner, check = owners[environment.pk], checks.get(environment.pk)
        evidence.append(
            Evidence(
                environment=environment,
                now=now,
                listening_since=listening.since if listening else None,
                target=targets.get((environment.project_id, environment.tag_name)),
                promotion=newest.get(owner),
                entries=sorted(entries[environment.pk], key=lambda entry: entry.name),
                names={sha256: name for (project, sha256), name in names.items() if project == environment.project_id},
                promoted=frozenset(promoted.get(owner, ())),
                check=check,
                checked_model=by_id.get((owner, check.model_id)) if check and check.model_id else None,
                heard_until=listening.until if listening and now - listening.until > NOTED_WITHIN else None,
            )
        )
    return evidence
