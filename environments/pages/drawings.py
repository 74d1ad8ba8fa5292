"""What the charts of the pages show: the newest rows of one kind each, oldest first, with one query."""

from collections import Counter
from datetime import date, datetime, timedelta

from django.urls import reverse

from environments.actions import evaluations
from environments.models import Environment, Evaluation, Job, Promotion
from environments.pages import charts
from environments.pages.access import PageRequest
from environments.pages.charts import Chart, Point
from environments.pages.durations import lasted
from environments.states import JobKind, JobStatus, PromotionStatus

MARKS = 30
# Weeks are counted of so many promotions at most.
COUNTED, WEEKS = 500, 16
TONES = {PromotionStatus.FAILED: "bad", PromotionStatus.UNPROVEN: "unproven", JobStatus.FAILED: "bad"}


def time_to_live(request: PageRequest, environment: Environment) -> Chart:
    """How long each of the last promotions of the environment took until every replica served."""
    found = Promotion.objects.filter(environment=environment, finished_at__isnull=False, model__isnull=False)
    ended = found.exclude(status=PromotionStatus.SUPERSEDED).order_by("-pk")
    rows = ended.values_list("pk", "model__name", "status", "created_at", "finished_at")[:MARKS]
    points = [_promotion(request, *row) for row in reversed(rows)]
    return charts.bars("Time to live", "Promotion", "Until every replica served", points)


def _promotion(
    request: PageRequest, pk: int, model: str, status: str, created: datetime, ended: datetime | None
) -> Point:
    seconds = max((ended - created).total_seconds(), 0.0) if ended else 0.0
    tone = TONES.get(PromotionStatus(status), "")
    words = f"{PromotionStatus(status).value} after {lasted(seconds)}" if tone else lasted(seconds)
    url = reverse("promotion", args=[request.project.name, pk])
    return Point(f"{model}, {_day(created)}", seconds, words, tone, url)


def promotions_by_week(request: PageRequest) -> Chart:
    """How often something was promoted, of the newest promotions."""
    visible = Promotion.objects.visible_to(request.actor, request.project).order_by("-pk")
    times = list(visible.values_list("created_at", flat=True)[:COUNTED])
    if not times:
        return charts.bars("Promotions by week", "Week of", "Promotions", [])
    counted = Counter(_monday(at) for at in times)
    last, first = _monday(times[0]), _monday(times[-1])
    weeks = [last - timedelta(weeks=back) for back in range(WEEKS)]
    shown = [week for week in reversed(weeks) if week >= first]
    points = [Point(_day(week), counted[week], _times(counted[week])) for week in shown]
    return charts.bars("Promotions by week", "Week of", "Promotions", points)


def f1_of_models(request: PageRequest) -> Chart:
    """F1 of the newest evaluation of each model, by when the model was trained."""
    rows = evaluations.newest_of_each(Evaluation.objects.visible_to(request.actor, request.project))
    known = rows.exclude(intents=None).order_by("-model__trained_at")
    found = known.values_list("pk", "model__name", "model__trained_at", "intents__f1")[:MARKS]
    points = [
        Point(f"{name}, {_day(trained)}", f1, _share(f1), url=reverse("evaluation", args=[request.project.name, pk]))
        for pk, name, trained, f1 in reversed(found)
        if f1 is not None
    ]
    title = "F1 of models, by when they were trained"
    return charts.line(title, "Model", "F1", points)


def training_durations(request: PageRequest) -> Chart:
    """How long the last trainings took."""
    done = Job.objects.visible_to(request.actor, request.project).filter(
        kind=JobKind.TRAINING, status=JobStatus.SUCCEEDED, started_at__isnull=False, finished_at__isnull=False
    )
    rows = done.order_by("-pk").values_list("pk", "model_name", "started_at", "finished_at")[:MARKS]
    points = [
        Point(
            f"{name or 'job'} {pk}, {_day(ended)}",
            (ended - started).total_seconds(),
            lasted((ended - started).total_seconds()),
            url=reverse("job", args=[request.project.name, pk]),
        )
        for pk, name, started, ended in reversed(rows)
        if started and ended
    ]
    return charts.bars("How long trainings took", "Training", "Took", points)


def _monday(at: datetime) -> date:
    return at.date() - timedelta(days=at.weekday())


def _day(at: date) -> str:
    return f"{at.day} {at:%b}"


def _times(count: int) -> str:
    return f"{count} promotion{'' if count == 1 else 's'}"


def _share(number: float) -> str:
    return f"{number:.3f}".removeprefix("0")
