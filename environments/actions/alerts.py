"""Alerts as rows: what is wrong with environments since when, told once when it has lasted, and once when it is over.

What the servers show is judged elsewhere (`serving.alerting`); here it is remembered from one look to the next.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction

from environments.actions import notifications
from environments.actions.notifications import Notification
from environments.models import Alert, Environment
from environments.states import Event

# What was not told of yet is forgotten when it was away for so long.
FORGOTTEN_AFTER = timedelta(minutes=1)
KEPT_FOR = timedelta(days=30)
# So many replicas are named in one message.
NAMED = 10

Key = tuple[int, str, str]


@dataclass(frozen=True)
class Trouble:
    """`subject` is a replica's name, "" where the whole environment is meant; `detail` says why, in sentences."""

    event: Event
    subject: str
    detail: str


@dataclass(frozen=True)
class Finding:
    """What one look shows of an environment. `unknown`: nothing can be said of it. Of the events in `kept` nothing can
    be said either, neither that there is one nor that one is over, except of replicas that are `well`."""

    environment: Environment
    troubles: tuple[Trouble, ...] = ()
    unknown: bool = False
    kept: frozenset[Event] = frozenset()
    well: frozenset[str] = field(default=frozenset())


@transaction.atomic
def take_in(findings: Sequence[Finding], now: datetime, *, after: timedelta, gap: bool = False) -> int:
    """Compare what is found with what is remembered; how many messages follow. Trouble is told once it has lasted
    `after`, and so is its end. `gap`: nobody looked for a while, so that what is not told of yet begins anew."""
    locked = Alert.objects.select_for_update(of=("self",)).select_related("environment__project")
    open_ones = list(locked.filter(recovered_at=None).order_by("pk"))
    if gap:
        open_ones = _begun_anew(open_ones)
    found = {_key(finding, trouble): trouble for finding in findings for trouble in finding.troubles}
    _begin([key for key in found if key not in {_key_of(alert) for alert in open_ones}], found, now)
    present = [alert for alert in open_ones if _key_of(alert) in found]
    Alert.objects.filter(pk__in=[alert.pk for alert in present if alert.calm_since]).update(calm_since=None)
    told = _tell(present, found, now, after)
    return told + _calm(open_ones, found, {finding.environment.pk: finding for finding in findings}, now, after)


def _key(finding: Finding, trouble: Trouble) -> Key:
    return finding.environment.pk, trouble.event.value, trouble.subject


def _key_of(alert: Alert) -> Key:
    return alert.environment_id, alert.event, alert.subject


def _begun_anew(open_ones: list[Alert]) -> list[Alert]:
    Alert.objects.filter(pk__in=[alert.pk for alert in open_ones if not alert.told_at]).delete()
    told = [alert for alert in open_ones if alert.told_at]
    Alert.objects.filter(pk__in=[alert.pk for alert in told]).update(calm_since=None)
    for alert in told:
        alert.calm_since = None
    return told


def _begin(keys: Iterable[Key], found: dict[Key, Trouble], now: datetime) -> None:
    """Remember what is new. Another who looks at the same moment may have done so already."""
    Alert.objects.bulk_create(
        [
            Alert(environment_id=key[0], event=key[1], subject=key[2], detail=found[key].detail, since=now)
            for key in keys
        ],
        ignore_conflicts=True,
    )


def _tell(present: list[Alert], found: dict[Key, Trouble], now: datetime, after: timedelta) -> int:
    """Tell of what has lasted and was not told of yet."""
    due = [alert for alert in present if not alert.told_at and now - alert.since >= after]
    for alert in due:
        alert.told_at, alert.detail = now, found[_key_of(alert)].detail
    Alert.objects.bulk_update(due, ["told_at", "detail"])
    return notifications.tell_all([_of_trouble(group) for group in _grouped(due)])


def _calm(
    open_ones: list[Alert], found: dict[Key, Trouble], findings: dict[int, Finding], now: datetime, after: timedelta
) -> int:
    """What is not there any more: forgotten where nobody knew of it, told where somebody did."""
    away = [alert for alert in open_ones if _key_of(alert) not in found]
    ended = [alert for alert in away if alert.environment_id not in findings]
    unknown = [alert for alert in away if alert not in ended and findings[alert.environment_id].unknown]
    calm = [alert for alert in away if alert not in ended and _is_over(alert, findings[alert.environment_id])]
    Alert.objects.filter(pk__in=_keys(alert for alert in unknown if not alert.told_at)).delete()
    Alert.objects.filter(pk__in=_keys(alert for alert in unknown if alert.calm_since)).update(calm_since=None)
    Alert.objects.filter(pk__in=_keys(alert for alert in calm if not alert.calm_since)).update(calm_since=now)
    lasted = [alert for alert in calm if alert.calm_since and now - alert.calm_since >= _patience(alert, after)]
    recovered = [alert for alert in lasted if alert.told_at]
    Alert.objects.filter(pk__in=_keys(alert for alert in lasted if not alert.told_at)).delete()
    Alert.objects.filter(pk__in=_keys([*recovered, *ended])).update(recovered_at=now)
    return notifications.tell_all([_of_recovery(group, now) for group in _grouped(recovered)])


def _keys(alerts: Iterable[Alert]) -> list[int]:
    return [alert.pk for alert in alerts]


def _is_over(alert: Alert, finding: Finding) -> bool:
    kept = Event(alert.event) in finding.kept and alert.subject not in finding.well
    return not finding.unknown and not kept


def _patience(alert: Alert, after: timedelta) -> timedelta:
    return after if alert.told_at else min(after, FORGOTTEN_AFTER)


def tidy(now: datetime) -> None:
    Alert.objects.filter(recovered_at__lt=now - KEPT_FOR).delete()


# In words


def _grouped(alerts: Iterable[Alert]) -> list[list[Alert]]:
    """Those of one environment and event together: many replicas are one message."""
    groups: dict[tuple[int, str], list[Alert]] = defaultdict(list)
    for alert in alerts:
        groups[alert.environment_id, alert.event].append(alert)
    return list(groups.values())


# What is wrong, and what is right again.
WORDS = {
    Event.REPLICA_SILENT: ("silent", "heard again or replaced"),
    Event.REPLICA_EMPTY: ("without a model", "no longer without a model"),
    Event.REPLICA_FOREIGN: ("serving a foreign model", "no longer serving a foreign model"),
    Event.REPLICA_STUCK: ("stuck", "no longer stuck"),
    Event.ENVIRONMENT_UNREACHABLE: ("unreachable", "reachable again"),
    Event.ENVIRONMENT_OUT_OF_SYNC: ("out of sync", "in sync again"),
}


def _who(group: list[Alert]) -> str:
    environment, subjects = group[0].environment.name, [alert.subject for alert in group]
    if not subjects[0]:
        return f"{environment} is"
    return (
        f"{environment}: replica {subjects[0]} is"
        if len(subjects) == 1
        else (f"{environment}: {len(subjects)} replicas are")
    )


def _listed(group: list[Alert]) -> str:
    """Each with its reason."""
    lines = [f"{alert.subject}: {alert.detail}" if alert.subject else alert.detail for alert in group[:NAMED]]
    more = len(group) - NAMED
    return "\n".join([*lines, *([f"… and {more} more."] if more > 0 else [])])


def _of_trouble(group: list[Alert]) -> Notification:
    event = Event(group[0].event)
    return _message(group, event, f"{_who(group)} {WORDS[event][0]}", _listed(group), {})


def _of_recovery(group: list[Alert], now: datetime) -> Notification:
    event = Event(group[0].event)
    minutes = max((now - alert.since).total_seconds() for alert in group) / 60
    text = f"It began {minutes:.0f} min ago, and has been well for a while."
    named = [alert.subject for alert in group if alert.subject][:NAMED]
    text += f" Replicas: {', '.join(named)}." if len(group) > 1 else ""
    return _message(group, Event.RECOVERED, f"{_who(group)} {WORDS[event][1]}", text, {"recovered": event.value})


def _message(group: list[Alert], event: Event, subject: str, text: str, data: dict[str, object]) -> Notification:
    environment = group[0].environment
    replicas = [alert.subject for alert in group if alert.subject]
    return Notification(
        project=environment.project,
        event=event,
        subject=subject,
        text=text,
        environment=environment,
        data={**data, "replicas": replicas, "since": min(alert.since for alert in group).isoformat()},
        page=f"environments/{environment.name}/{'replicas/' if replicas else ''}",
    )
