"""What a project's rules of retention would take away, and why all else is kept. Looks, and changes nothing.

What is needed is not decided here: `trained_models.uses` and `bundles.uses` say it, for every door.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from django.utils import timezone

from accounts.models import Project
from environments.actions import bundles, trained_models
from environments.models import Bundle, Environment, Job, Message, Promotion, Proof, Tag, TrainedModel
from environments.models.bundle import BundleQuerySet
from environments.models.job import JobQuerySet
from environments.models.trained_model import TrainedModelQuerySet

MODEL: Final = "model"
BUNDLE: Final = "bundle"

Reasons = Mapping[int, list[str]]


@dataclass(frozen=True)
class Rules:
    """As `models.Retention` has them; null: no such rule."""

    keep_models: int | None = None
    keep_bundles: int | None = None
    served_within_days: int | None = None
    keep_log_days: int | None = None
    forget_after_days: int | None = None

    @property
    def about_models(self) -> bool:
        return self.keep_models is not None or self.served_within_days is not None


@dataclass(frozen=True)
class Item:
    """A model or a bundle. `name` is the model's, or the bundle's id; `frees` how many bytes the storage gains, none
    where another project has the same; without `reasons` it goes."""

    kind: str
    pk: int
    name: str
    size: int
    since: datetime
    frees: int
    reasons: tuple[str, ...]

    @property
    def goes(self) -> bool:
        return not self.reasons


@dataclass(frozen=True)
class Logs:
    """Of how many jobs the log goes, and of how many it stays."""

    going: int = 0
    kept: int = 0


@dataclass(frozen=True)
class Plan:
    """Models, then bundles, each newest first; the logs of jobs and the messages that would be forgotten, which are no
    more than counted."""

    items: tuple[Item, ...]
    logs: Logs = Logs()
    messages: int = 0

    @cached_property
    def going(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.goes)

    @property
    def frees(self) -> int:
        return sum(item.frees for item in self.items)

    def of(self, kind: str) -> "Plan":
        return Plan(tuple(item for item in self.items if item.kind == kind))


def plan(project: Project, rules: Rules) -> Plan:
    """The same few queries for any number of models and bundles."""
    models = list(TrainedModel.objects.present().filter(project=project).latest_first().only(*_READ, "bundle"))
    lasting = _lasting(project, rules)
    judged = list(_models(project, models, rules, lasting))
    bundles_judged = _bundles(project, rules, _origins(models, lasting))
    return Plan((*judged, *bundles_judged), _logs(project, rules), _messages(project, rules))


def _messages(project: Project, rules: Rules) -> int:
    if rules.forget_after_days is None:
        return 0
    return Message.objects.filter(project=project, at__lt=before(rules.forget_after_days)).count()


def before(days: int) -> datetime:
    """What was said before then is forgotten."""
    return timezone.now() - timedelta(days=days)


_READ = ("name", "hash", "size", "registered_at")


def _lasting(project: Project, rules: Rules) -> Reasons:
    """Why models are kept, however many newer ones come."""
    found: dict[int, list[str]] = defaultdict(list)
    for model, reasons in trained_models.uses(project).items():
        found[model] += reasons
    owned = frozenset(Environment.objects.active().filter(project=project).values_list("name", flat=True))
    for model, name in Tag.objects.filter(project=project).order_by("name").values_list("model_id", "name"):
        if name not in owned:
            found[model].append(f"it carries the tag {name}")
    if rules.served_within_days is not None:
        for model in _served_since(project, timezone.now() - timedelta(days=rules.served_within_days)):
            found[model].append(f"it served within the last {_days(rules.served_within_days)}")
    return found


def _days(count: int) -> str:
    return "day" if count == 1 else f"{count} days"


def _served_since(project: Project, since: datetime) -> frozenset[int]:
    """A model served until the promotion that took its place; what is there now is needed anyhow."""
    made = Promotion.objects.filter(environment__project=project, created_at__gte=since)
    served = frozenset(model for pair in made.values_list("model_id", "previous_model_id") for model in pair if model)
    proved = Proof.objects.filter(environment__project=project, proved_at__gte=since)
    return served | frozenset(proved.values_list("model_id", flat=True))


def _models(project: Project, models: list[TrainedModel], rules: Rules, lasting: Reasons) -> Iterator[Item]:
    shared = _elsewhere(TrainedModel.objects.present(), project)
    for place, model in enumerate(models):
        reasons = list(lasting.get(model.pk, ()))
        if rules.keep_models is not None and place < rules.keep_models:
            reasons.append(_newest(rules.keep_models))
        if not rules.about_models:
            reasons.append("no rule is about models")
        yield _item(MODEL, model, model.name, model.registered_at, reasons, shared)


def _bundles(project: Project, rules: Rules, origins: Reasons) -> Iterator[Item]:
    kept = Bundle.objects.filter(removed_at=None)
    needed, shared = bundles.uses(project), _elsewhere(kept, project)
    for place, bundle in enumerate(kept.filter(project=project).order_by("-pk").only("hash", "size", "created_at")):
        reasons = [*needed.get(bundle.pk, ()), *origins.get(bundle.pk, ())]
        if rules.keep_bundles is None:
            reasons.append("no rule is about bundles")
        elif 0 < place < rules.keep_bundles:  # The newest is needed anyhow.
            reasons.append(_newest(rules.keep_bundles))
        yield _item(BUNDLE, bundle, str(bundle.pk), bundle.created_at, reasons, shared)


def logs_of(project: Project, rules: Rules) -> JobQuerySet:
    """The jobs whose log goes: they ended too long ago."""
    if rules.keep_log_days is None:
        return Job.objects.none()
    before = timezone.now() - timedelta(days=rules.keep_log_days)
    return Job.objects.with_log().filter(project=project, finished_at__lt=before)


def _logs(project: Project, rules: Rules) -> Logs:
    going = logs_of(project, rules).count()
    return Logs(going, Job.objects.with_log().filter(project=project).count() - going)


def _newest(count: int) -> str:
    return "it is the newest" if count == 1 else f"it is one of the {count} newest"


def _origins(models: Iterable[TrainedModel], lasting: Reasons) -> Reasons:
    """A bundle is kept with a model that is kept for more than being new: so it can be trained and tested anew."""
    found: dict[int, list[str]] = defaultdict(list)
    for model in models:
        if model.bundle_id and model.pk in lasting:
            found[model.bundle_id].append(f"{model.name}, which is kept, came from it")
    return found


def _elsewhere(rows: TrainedModelQuerySet | BundleQuerySet, project: Project) -> frozenset[str]:
    """The hashes that another project has as well: their bytes stay, whatever goes here."""
    own = rows.filter(project=project).values("hash")
    return frozenset(rows.exclude(project=project).filter(hash__in=own).values_list("hash", flat=True))


def _item(
    kind: str, row: TrainedModel | Bundle, name: str, since: datetime, reasons: list[str], shared: frozenset[str]
) -> Item:
    frees = 0 if reasons or row.hash in shared else row.size
    return Item(kind, row.pk, name, row.size, since, frees, tuple(reasons))
