"""What templates of pages share: icons, times, signs of state, the entries of the rail."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from django import template
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from lucide.templatetags.lucide import lucide

from accounts.pages import THEMES
from environments.pages import colors
from environments.states import Health, JobStatus, PromotionStatus, ReplicaState, Sync

register = template.Library()

# For each state: icon, word, tone. Every sign is both, so that colour is never the only one.
SIGNS: dict[str, tuple[str, str, str]] = {
    f"sync-{Sync.IN_SYNC}": ("circle-check", "In sync", "good"),
    f"sync-{Sync.ROLLING_OUT}": ("loader-circle", "Rolling out", "busy"),
    f"sync-{Sync.OUT_OF_SYNC}": ("triangle-alert", "Out of sync", "bad"),
    f"sync-{Sync.UNKNOWN}": ("circle-dashed", "Sync unknown", "quiet"),
    f"health-{Health.HEALTHY}": ("heart", "Healthy", "good"),
    f"health-{Health.DEGRADED}": ("heart-crack", "Degraded", "busy"),
    f"health-{Health.UNREACHABLE}": ("heart-off", "Unreachable", "bad"),
    f"health-{Health.UNKNOWN}": ("heart", "Health unknown", "quiet"),
    f"replica-{ReplicaState.SERVING}": ("circle-check", "Serving", "good"),
    f"replica-{ReplicaState.LOADING}": ("loader-circle", "Loading", "busy"),
    f"replica-{ReplicaState.STUCK}": ("triangle-alert", "Stuck", "bad"),
    f"replica-{ReplicaState.SILENT}": ("unplug", "Silent", "bad"),
    f"replica-{ReplicaState.EMPTY}": ("circle-dashed", "Empty", "quiet"),
    f"replica-{ReplicaState.FOREIGN}": ("circle-alert", "Foreign model", "bad"),
    f"promotion-{PromotionStatus.ROLLING_OUT}": ("loader-circle", "Rolling out", "busy"),
    f"promotion-{PromotionStatus.SUCCEEDED}": ("circle-check", "Live", "good"),
    f"promotion-{PromotionStatus.FAILED}": ("triangle-alert", "Failed", "bad"),
    f"promotion-{PromotionStatus.SUPERSEDED}": ("skip-forward", "Superseded", "quiet"),
    f"promotion-{PromotionStatus.UNPROVEN}": ("circle-alert", "Unproven", "busy"),
    f"job-{JobStatus.QUEUED}": ("hourglass", "Queued", "quiet"),
    f"job-{JobStatus.RUNNING}": ("loader-circle", "Running", "busy"),
    f"job-{JobStatus.SUCCEEDED}": ("circle-check", "Succeeded", "good"),
    f"job-{JobStatus.FAILED}": ("triangle-alert", "Failed", "bad"),
    f"job-{JobStatus.ERRORED}": ("circle-x", "Errored", "bad"),
    f"job-{JobStatus.CANCELLED}": ("circle-slash", "Cancelled", "quiet"),
}

# Icon, word, name of the page, the grant that shows it.
RAIL: tuple[tuple[str, str, str, str], ...] = (
    ("layout-grid", "Overview", "overview", "environments.read"),
    ("box", "Models", "models", "models.read"),
    ("zap", "Training", "training", "training.read"),
    ("message-square", "Talk", "talk", "conversations.write"),
    ("history", "History", "history", "environments.read"),
)

MINUTE, HOUR, DAY = 60, 3600, 86400


@lru_cache(maxsize=256)
def _icon(name: str, size: int) -> SafeString:
    turns = " turns" if name == "loader-circle" else ""
    attributes = {"class": f"icon{turns}", "aria_hidden": "true"}
    return mark_safe(lucide(name, size=size, **attributes))  # noqa: S308 (the package's own)


@register.simple_tag
def icon(name: str, size: int = 16) -> SafeString:
    """An inline icon, a decoration: the word beside it tells the same."""
    return _icon(str(name), size)


@register.simple_tag
def sign(kind: str, state: str, figures: str = "") -> SafeString:
    """Icon and word of a state, `kind` is `sync`, `health`, `replica`, `promotion` or `job`."""
    name, word, tone = SIGNS[f"{kind}-{state}"]
    words = f"{word} {figures}" if figures else word
    return format_html('<span class="sign {}">{}<span>{}</span></span>', tone, _icon(name, 16), words)


def span(seconds: float) -> str:
    """A length of time in words: `41 s`, `3 min`, `2 h 5 min`, `9 days`."""
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    if whole < DAY:
        hours, minutes = divmod(whole // MINUTE, 60)
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    days = whole // DAY
    return f"{days} day" if days == 1 else f"{days} days"


def relative(at: datetime, now: datetime) -> str:
    seconds = (now - at).total_seconds()
    if seconds < 5:
        return "just now"
    if seconds < 30 * DAY:
        return f"{span(seconds)} ago"
    return f"{at.day} {at:%b}" if at.year == now.year else f"{at.day} {at:%b %Y}"


@register.simple_tag
def ago(at: datetime | None) -> SafeString:
    """A relative time with the absolute one on hover; the script keeps it true."""
    if at is None:
        return mark_safe("&ndash;")
    return format_html(
        '<time datetime="{}" title="{} UTC" data-ago>{}</time>',
        at.isoformat(),
        f"{at:%Y-%m-%d %H:%M:%S}",
        relative(at, timezone.now()),
    )


@register.simple_tag
def since(at: datetime | None) -> SafeString:
    """How long ago as a running clock, `0:41`."""
    if at is None:
        return mark_safe("")
    minutes, seconds = divmod(max(0, round((timezone.now() - at).total_seconds())), 60)
    return format_html('<time datetime="{}" data-clock>{}</time>', at.isoformat(), f"{minutes}:{seconds:02d}")


@register.filter
def lasted(seconds: float | None) -> str:
    """How long something took, to the second where that is of interest: `4 min 10 s`."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), MINUTE)
    return f"{minutes} min {rest} s" if 0 < minutes < 60 and rest else span(seconds)


@register.filter
def env_class(color: str) -> str:
    return colors.css_class(color)


@register.filter
def size(count: int) -> str:
    """Bytes in words, with powers of ten as disks are sold."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


@register.simple_tag(takes_context=True)
def theme(context: Any) -> str:
    """The theme this browser chose, empty for the system's."""
    request = context.get("request")
    chosen = request.COOKIES.get("theme", "") if request else ""
    return chosen if chosen in THEMES else ""


@register.simple_tag(takes_context=True)
def may(context: Any, grant: str) -> bool:
    """Whether the one who looks holds `grant` on the project."""
    request = context["request"]
    return bool(request.actor.may(request.project, grant))


@register.simple_tag(takes_context=True)
def rail(context: Any) -> list[dict[str, Any]]:
    """The entries of the rail: what one may not see is not listed."""
    request = context["request"]
    match = request.resolver_match
    current = getattr(request, "section", match.url_name if match else "")
    return [
        {"icon": icon_name, "word": word, "url": reverse(name, args=[request.project.name]), "here": name == current}
        for icon_name, word, name, grant in RAIL
        if request.actor.may(request.project, grant)
    ]


@register.simple_tag(takes_context=True)
def page_query(context: Any, **changes: Any) -> str:
    """This page's query with some members changed; an empty value drops one."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value not in ("", None):
            query[name] = value
    return f"?{query.urlencode()}"


@register.filter
def member(query: QueryDict, name: str) -> str:
    """A member of the query by its name."""
    return query.get(name, "")
