"""The answer to "what is where" at one look: a card per environment, models by environments, what happened lately."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render

from accounts.actor import Actor
from accounts.problems import Problem
from environments import permissions
from environments.actions import promotions
from environments.models import Environment, Job, Promotion, Tag, TrainedModel
from environments.pages import live
from environments.pages.access import PageRequest, page
from environments.serving.reports import EnvironmentReport, reports
from environments.states import ACTIVE_JOBS, Kind, Sync

ROWS = 12
LATELY = 6


@dataclass(frozen=True)
class Card:
    """An environment as its card shows it. `promote` and `back` say why these buttons are off, empty where they are
    not. `jobs` is what a training environment works on."""

    report: EnvironmentReport
    promote: str
    back: str
    jobs: list[Job]
    last_job: Job | None

    @property
    def environment(self) -> Environment:
        return self.report.environment

    @property
    def proved(self) -> int:
        return sum(member.proved for member in self.report.members)

    @property
    def figures(self) -> str:
        """Replicas that proved the model, of those expected."""
        return f"{self.proved}/{self.report.replicas.expected}" if self.report.model and self.report.members else ""

    @property
    def trains(self) -> bool:
        return self.environment.kind == Kind.TRAINING

    @property
    def rolls_out(self) -> bool:
        return self.report.sync == Sync.ROLLING_OUT

    @property
    def queued(self) -> int:
        return sum(job.status == "queued" for job in self.jobs)

    @property
    def running(self) -> Job | None:
        return next((job for job in self.jobs if job.status == "running"), None)


@dataclass(frozen=True)
class Cell:
    """What a model is to an environment: `now`, `before` (a rollback brings it back) or nothing."""

    environment: Environment
    word: str


@dataclass(frozen=True)
class Row:
    model: TrainedModel
    cells: list[Cell]
    tags: list[str]


def latest_promotions(environments: Sequence[Environment]) -> dict[int, Promotion]:
    """The newest promotion of each environment, by the environment's id."""
    newest = Promotion.objects.newest_of(environment.pk for environment in environments)
    related = ("model", "previous_model", "restores__previous_model")
    found = newest.select_related(*related).defer(*(f"{name}__metadata" for name in related))
    return {promotion.environment_id: promotion for promotion in found}


def model_before(environment: Environment, newest: Promotion | None) -> TrainedModel | Problem:
    """The model that a rollback would bring back, or why there is none; without a query but in rare histories."""
    position = newest and (newest.restores or newest)
    if position and position.previous_model and not position.previous_model.deleted_at:
        return position.previous_model
    try:
        target = promotions.rollback_target(environment).model
    except Problem as problem:
        return problem
    return target if target else Problem("There is nothing to go back to.")


def why_not(problem: Problem | None) -> str:
    return problem.detail if problem else ""


def back_refusal(environment: Environment, newest: Promotion | None, actor: Actor) -> str:
    """Why rolling back is off, empty where it is not."""
    refused = promotions.standing_refusal(environment=environment, by=actor)
    if refused:
        return refused.detail
    before = model_before(environment, newest)
    return before.detail if isinstance(before, Problem) else ""


def cards(actor: Actor, environments: Sequence[Environment]) -> list[Card]:
    newest = latest_promotions(environments)
    trains = any(environment.kind == Kind.TRAINING for environment in environments)
    jobs = Job.objects.visible_to(actor, environments[0].project) if trains else Job.objects.none()
    active = list(jobs.filter(status__in=ACTIVE_JOBS)) if trains else []
    last = jobs.exclude(status__in=ACTIVE_JOBS).first() if trains else None
    return [
        Card(
            report=report,
            promote=why_not(promotions.standing_refusal(environment=report.environment, by=actor)),
            back=back_refusal(report.environment, newest.get(report.environment.pk), actor),
            jobs=active,
            last_job=last,
        )
        for report in reports(environments)
    ]


def matrix(actor: Actor, owners: Sequence[Environment], models: Sequence[TrainedModel]) -> list[Row]:
    """A row for each model, a cell for each environment that owns a tag."""
    newest = latest_promotions(owners)
    before = {environment.pk: model_before(environment, newest.get(environment.pk)) for environment in owners}
    names = {environment.name for environment in owners}
    tags = list(Tag.objects.filter(model__in=models))
    now = {(tag.name, tag.model_id) for tag in tags}

    def word(environment: Environment, model: TrainedModel) -> str:
        if (environment.name, model.pk) in now:
            return "now"
        return "before" if before[environment.pk] == model else ""

    return [
        Row(
            model=model,
            cells=[Cell(environment, word(environment, model)) for environment in owners],
            tags=[tag.name for tag in tags if tag.model_id == model.pk and tag.name not in names],
        )
        for model in models
    ]


def _shown_models(request: PageRequest, owners: Sequence[Environment]) -> list[TrainedModel]:
    """The newest models, and those that serve however old they are."""
    visible = TrainedModel.objects.visible_to(request.actor, request.project)
    newest = visible.order_by("-pk").values_list("pk", flat=True)[:ROWS]
    serving = Q(tags__name__in=[environment.name for environment in owners])
    return list(visible.filter(Q(pk__in=list(newest)) | serving).distinct().order_by("-pk"))


def pieces(request: PageRequest) -> list[live.Piece]:
    permissions.check_can_read_environments(request.actor, request.project)
    environments = list(Environment.objects.visible_to(request.actor, request.project))
    owners = [environment for environment in environments if environment.follows is None]
    parts = [
        live.piece(request, f"card-{card.environment.name}", "overview/card.html", {"card": card})
        for card in (cards(request.actor, environments) if environments else [])
    ]
    models = _shown_models(request, owners)
    table = {
        "rows": matrix(request.actor, owners, models),
        "owners": owners,
        "total": TrainedModel.objects.visible_to(request.actor, request.project).count(),
    }
    parts.append(live.piece(request, "matrix", "overview/matrix.html", table))
    lately = Promotion.objects.visible_to(request.actor, request.project).newest(LATELY)
    parts.append(live.piece(request, "lately", "overview/lately.html", {"promotions": list(lately)}))
    return parts


@page
def overview(request: PageRequest) -> HttpResponse:
    *cards_shown, table, lately = pieces(request)
    context = {"cards": cards_shown, "matrix": table, "lately": lately}
    return render(request, "overview/overview.html", context)


@page
def overview_changes(request: PageRequest) -> HttpResponse:
    """What changed on the overview since the browser looked."""
    return live.changes(request, pieces(request))
