"""Metrics of environments: what they should serve and do, promotions, proofs, replicas and polls."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum

from prometheus_client.metrics_core import Metric

from environments import metric_families as families
from environments.metric_families import Family, PollAnswer
from environments.metrics.counts import Counts
from environments.metrics.samples import Labels, counter, gauge, histogram
from environments.serving import traffic
from environments.serving.reports import EnvironmentReport
from environments.states import Health, PromotionStatus, ReplicaState, Sync

OUTCOMES = tuple(status for status in PromotionStatus if status is not PromotionStatus.ROLLING_OUT)

Reports = Sequence[EnvironmentReport]


def measure(reports: Reports, counts: Counts, now: datetime) -> Iterator[Metric]:
    yield gauge(families.ENVIRONMENT_INFO, ((_info(report), 1.0) for report in reports))
    yield _one_of(families.SYNC, reports, Sync, lambda report: report.sync)
    yield _one_of(families.HEALTH, reports, Health, lambda report: report.health)
    yield _replicas(reports)
    expected = ((_place(report), float(report.replicas.expected)) for report in reports)
    yield gauge(families.REPLICAS_EXPECTED, expected)
    yield gauge(families.ROLLING_OUT, ((_place(report), _rolling_out(report, now)) for report in reports))
    yield from _counted(reports, counts)
    yield from _polls(reports)


def _place(report: EnvironmentReport) -> tuple[str, str]:
    return report.environment.project.name, report.environment.name


def _info(report: EnvironmentReport) -> Labels:
    environment = report.environment
    protected = "yes" if environment.protected else "no"
    return (*_place(report), environment.kind, protected, report.model.name if report.model else "")


def _one_of(
    family: Family, reports: Reports, states: type[StrEnum], of: Callable[[EnvironmentReport], StrEnum]
) -> Metric:
    """1 for the state that holds, 0 for the others."""
    return gauge(
        family,
        (((*_place(report), state.value), float(state == of(report))) for report in reports for state in states),
    )


def _replicas(reports: Reports) -> Metric:
    samples = (
        ((*_place(report), state.value), float(getattr(report.replicas, state.value)))
        for report in reports
        for state in ReplicaState
    )
    return gauge(families.REPLICAS, samples)


def _rolling_out(report: EnvironmentReport, now: datetime) -> float:
    promotion = report.promotion
    own = promotion is not None and promotion.environment_id == report.environment.pk
    if promotion is None or not own or promotion.status != PromotionStatus.ROLLING_OUT:
        return 0.0
    return max(0.0, (now - promotion.created_at).total_seconds())


def _counted(reports: Reports, counts: Counts) -> Iterator[Metric]:
    """What tallies say. An environment that follows another is promoted to through that one."""
    places = [(_place(report), (report.environment.project_id, report.environment.name)) for report in reports]
    promoted = [place for place, report in zip(places, reports, strict=True) if report.environment.follows_id is None]
    started, finished, live = families.PROMOTIONS_STARTED, families.PROMOTIONS_FINISHED, families.TIME_TO_LIVE
    yield counter(started, ((labels, counts.one(started, *key)) for labels, key in promoted))
    outcomes = (
        ((*labels, outcome.value), counts.one(finished, *key, outcome))
        for labels, key in promoted
        for outcome in OUTCOMES
    )
    yield counter(finished, outcomes)
    yield histogram(live, ((labels, counts.all(live, *key)) for labels, key in promoted))
    yield counter(families.PROOFS, ((labels, counts.one(families.PROOFS, *key)) for labels, key in places))


def _polls(reports: Reports) -> Iterator[Metric]:
    """Nothing while the cache is away: fewer than were counted would look like a counter that began anew."""
    keys = {
        (*_place(report), answer.value): traffic.poll_key(*_place(report), answer)
        for report in reports
        for answer in PollAnswer
    }
    totals = traffic.totals(keys.values())
    if totals is not None:
        yield counter(families.POLLS, ((labels, float(totals.get(key, 0))) for labels, key in keys.items()))
