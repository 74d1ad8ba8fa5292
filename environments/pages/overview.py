"""The answer to "what is where" at one look: a card per environment, models by environments, what happened lately."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render

from accounts.actor import Actor
from accounts.problems import Problem
from environments import permissions
from environments.actions import evaluations, promotions
from environments.drift import Finding
from environments.engine import drifting
from environments.models import Environment, Job, Promotion, Tag, TrainedModel
from environments.pages import first_steps, live, verdicts
from environments.pages.access import PageRequest, page
from environments.serving.reports import EnvironmentReport, reports
from environments.states import ACTIVE_JOBS, JobKind, Kind, Sync

ROWS = 12
LATELY = 6
# With more environments than these, a model tells where it is instead of having a column for each.
COLUMNS = 8
# So many are named in a line; of the rest their number is told.
NAMED = 6


@dataclass(frozen=True)
class Card:
    """An environment as its card shows it. `promote` and `back` say why these buttons are off, empty where they are
    not. `jobs` is what a training environment works on; `drift` what its engine runs otherwise than declared."""

    report: EnvironmentReport
    promote: str
    back: str
    jobs: list[Job]
    last_job: Job | None
    drift: Sequence[Finding] = ()

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
    def verdict(self) -> verdicts.Verdict:
        return verdicts.judge(self.report, may_promote=not self.promote, may_go_back=not self.back)

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
    """`f1` is that of its newest evaluation, where there is one and one may see it."""

    model: TrainedModel
    cells: list[Cell]
    tags: list[str]
    f1: float | None

    @property
    def places(self) -> list[Cell]:
        """Where it is anything: the environments that serve it first."""
        return sorted((cell for cell in self.cells if cell.word), key=lambda cell: cell.word != "now")


@dataclass(frozen=True)
class Matrix:
    """What is where: a column for each of `owners`, or one that names them where they would be too many to see."""

    rows: list[Row]
    owners: Sequence[Environment]

    @property
    def wide(self) -> bool:
        return len(self.owners) > COLUMNS


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
    drift = drifting.known()
    trains = any(environment.kind == Kind.TRAINING for environment in environments)
    jobs = Job.objects.visible_to(actor, environments[0].project) if trains else Job.objects.none()
    active = list(jobs.filter(status__in=ACTIVE_JOBS)) if trains else []
    last = jobs.filter(kind=JobKind.TRAINING).exclude(status__in=ACTIVE_JOBS).first() if trains else None
    return [
        Card(
            report=report,
            promote=why_not(promotions.standing_refusal(environment=report.environment, by=actor)),
            back=back_refusal(report.environment, newest.get(report.environment.pk), actor),
            jobs=active,
            last_job=last,
            drift=drift.get((report.environment.project.name, report.environment.name), ()),
        )
        for report in reports(environments)
    ]


def matrix(actor: Actor, owners: Sequence[Environment], models: Sequence[TrainedModel]) -> Matrix:
    """A row for each model, a cell for each environment that owns a tag."""
    newest = latest_promotions(owners)
    before = {environment.pk: model_before(environment, newest.get(environment.pk)) for environment in owners}
    names = {environment.name for environment in owners}
    tags = list(Tag.objects.filter(model__in=models))
    now = {(tag.name, tag.model_id) for tag in tags}
    project = models[0].project if models else None
    f1 = evaluations.latest_f1(models) if project and actor.may(project, "evaluations.read") else {}

    def word(environment: Environment, model: TrainedModel) -> str:
        if (environment.name, model.pk) in now:
            return "now"
        return "before" if before[environment.pk] == model else ""

    rows = [
        Row(
            model=model,
            cells=[Cell(environment, word(environment, model)) for environment in owners],
            tags=[tag.name for tag in tags if tag.model_id == model.pk and tag.name not in names],
            f1=f1.get(model.pk),
        )
        for model in models
    ]
    return Matrix(rows, owners)


def _shown_models(request: PageRequest, owners: Sequence[Environment]) -> list[TrainedModel]:
    """The newest models, and those that serve however old they are."""
    visible = TrainedModel.objects.visible_to(request.actor, request.project)
    newest = visible.order_by("-pk").values_list("pk", flat=True)[:ROWS]
    serving = Q(tags__name__in=[environment.name for environment in owners])
    return list(visible.filter(Q(pk__in=newest) | serving).distinct().order_by("-pk"))


def verdict_of(shown: Sequence[Card]) -> tuple[verdicts.Verdict | None, list[verdicts.Verdict]]:
    """What is worst, and the others that are not as they should be."""
    found = [card.verdict for card in shown if verdicts.minded(card.report)]
    first = verdicts.headline(found)
    return first, [other for other in found if other is not first and other.tone != verdicts.Tone.GOOD]


def pieces(request: PageRequest) -> tuple[verdicts.Verdict | None, list[live.Piece]]:
    """The verdict of the page, and its parts: the sentence, the cards, the matrix, what happened lately."""
    permissions.check_can_read_environments(request.actor, request.project)
    environments = list(Environment.objects.visible_to(request.actor, request.project))
    owners = [environment for environment in environments if environment.follows is None]
    shown = cards(request.actor, environments) if environments else []
    first, others = verdict_of(shown)
    sentence = {"verdict": first, "others": others[:NAMED], "more": max(len(others) - NAMED, 0)}
    parts = [live.piece(request, "verdict", "overview/verdict.html", sentence)]
    parts += [
        live.piece(request, f"card-{card.environment.name}", "overview/card.html", {"card": card}) for card in shown
    ]
    models = _shown_models(request, owners)
    total = TrainedModel.objects.visible_to(request.actor, request.project).count()
    steps: dict[str, object] = {}
    if first_steps.needed(environments):
        steps = first_steps.context(request, [card.report for card in shown], total)
    parts.insert(1, live.piece(request, "first-steps", "overview/first_steps.html", steps))
    table = {"matrix": matrix(request.actor, owners, models), "total": total}
    parts.append(live.piece(request, "matrix", "overview/matrix.html", table))
    lately = Promotion.objects.visible_to(request.actor, request.project).newest(LATELY)
    parts.append(live.piece(request, "lately", "overview/lately.html", {"promotions": list(lately)}))
    return first, parts


@page
def overview(request: PageRequest) -> HttpResponse:
    verdict, (sentence, steps, *cards_shown, table, lately) = pieces(request)
    context: dict[str, Any] = {
        "verdict": verdict,
        "sentence": sentence,
        "steps": steps,
        "cards": cards_shown,
        "matrix": table,
        "lately": lately,
        "frozen": list(Environment.objects.frozen().filter(project=request.project)),
    }
    return render(request, "overview/overview.html", context)


@page
def overview_changes(request: PageRequest) -> HttpResponse:
    """What changed on the overview since the browser looked."""
    return live.changes(request, pieces(request)[1])
