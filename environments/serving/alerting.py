"""Looks at all environments for trouble, every few seconds, and has it told once it lasts.

`unknown` is no trouble, and neither is a rollout in its time: while one goes on, nothing begins and nothing is over.
"""

from datetime import datetime, timedelta

from django.conf import settings

from environments.actions import alerts, slots
from environments.actions.alerts import Finding, Trouble
from environments.models import Environment
from environments.serving.reports import EnvironmentReport, reports
from environments.states import Event, Health, ReplicaState, Sync

LOOK_EVERY = timedelta(seconds=10)
# A look that comes so late is a restart: what was seen before it says nothing of the time between.
GAP = timedelta(seconds=60)

STATES = {
    ReplicaState.SILENT: Event.REPLICA_SILENT,
    ReplicaState.STUCK: Event.REPLICA_STUCK,
    ReplicaState.FOREIGN: Event.REPLICA_FOREIGN,
    ReplicaState.EMPTY: Event.REPLICA_EMPTY,
}
OF_ENVIRONMENTS = frozenset({*STATES.values(), Event.ENVIRONMENT_UNREACHABLE, Event.ENVIRONMENT_OUT_OF_SYNC})


def look_if_due(now: datetime) -> int:
    """Look, if it is time to; how many messages follow."""
    due_at = slots.claim("look-for-trouble", now=now, next_at=now + LOOK_EVERY)
    if due_at is None:
        return 0
    environments = Environment.objects.active().select_related("project", "follows")
    findings = [finding_of(report) for report in reports(environments, now)]
    after = timedelta(minutes=settings.ALERT_AFTER_MINUTES)
    return alerts.take_in(findings, now, after=after, gap=now - due_at > GAP)


def finding_of(report: EnvironmentReport) -> Finding:
    """What a report says of trouble, and of what it can say nothing."""
    if report.health is Health.UNKNOWN:
        return Finding(report.environment, unknown=True)
    if report.health is Health.UNREACHABLE:
        # All else follows from it, or cannot be seen.
        trouble = Trouble(Event.ENVIRONMENT_UNREACHABLE, "", " ".join(report.reasons))
        return Finding(report.environment, (trouble,), kept=OF_ENVIRONMENTS)
    if report.sync is Sync.ROLLING_OUT:
        return Finding(report.environment, kept=OF_ENVIRONMENTS)
    troubles = [
        Trouble(STATES[member.state], member.name, member.reason)
        for member in report.members
        # Without a model to serve a replica has none, as it should.
        if member.state in STATES and not (member.state is ReplicaState.EMPTY and report.model is None)
    ]
    if report.sync is Sync.OUT_OF_SYNC:
        troubles.append(Trouble(Event.ENVIRONMENT_OUT_OF_SYNC, "", _why_out_of_sync(report)))
    return Finding(report.environment, tuple(troubles), kept=_kept(report), well=_well(report))


def _why_out_of_sync(report: EnvironmentReport) -> str:
    if report.environment.is_frozen:
        return " ".join(report.reasons)
    model = report.model.name if report.model else "no model"
    return " ".join([f"It should serve {model}.", *report.reasons])


def _kept(report: EnvironmentReport) -> frozenset[Event]:
    """A silent replica that is forgotten is not well again while its place is empty."""
    missing = report.replicas.live < report.replicas.expected
    silent = {Event.REPLICA_SILENT} if missing else set()
    return frozenset(silent | ({Event.ENVIRONMENT_OUT_OF_SYNC} if report.sync is Sync.UNKNOWN else set()))


def _well(report: EnvironmentReport) -> frozenset[str]:
    return frozenset(member.name for member in report.members if member.state is not ReplicaState.SILENT)
