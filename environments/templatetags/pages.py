"""What templates of pages share: icons, times, signs of state, the entries of the rail."""

import re
from datetime import datetime
from functools import lru_cache
from typing import Any

from django import template
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from lucide.templatetags.lucide import lucide

from accounts.models import Project
from accounts.models import project as projects
from accounts.pages import THEMES
from accounts.problems import MissingGrant
from environments import holders, permissions, role_sentences
from environments.pages import colors, event_words
from environments.pages.access import why_not
from environments.pages.durations import lasted, span
from environments.pages.help import HELPS, Help
from environments.pages.verdicts import Tone
from environments.states import (
    DeliveryStatus,
    Health,
    JobStatus,
    PromotionStatus,
    ReplicaState,
    StepStatus,
    Sync,
    WebhookKind,
)

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
    f"promotion-{PromotionStatus.UNPROVEN}": ("circle-dashed", "Unproven", "quiet"),
    f"delivery-{DeliveryStatus.WAITING}": ("hourglass", "Waiting", "busy"),
    f"delivery-{DeliveryStatus.DELIVERED}": ("circle-check", "Delivered", "good"),
    f"delivery-{DeliveryStatus.FAILED}": ("circle-x", "Failed", "bad"),
    f"job-{JobStatus.QUEUED}": ("hourglass", "Queued", "quiet"),
    f"job-{JobStatus.RUNNING}": ("loader-circle", "Running", "busy"),
    f"job-{JobStatus.SUCCEEDED}": ("circle-check", "Succeeded", "good"),
    f"job-{JobStatus.FAILED}": ("triangle-alert", "Failed", "bad"),
    f"job-{JobStatus.ERRORED}": ("circle-x", "Errored", "bad"),
    f"job-{JobStatus.CANCELLED}": ("circle-slash", "Cancelled", "quiet"),
    f"step-{StepStatus.WAITING}": ("circle-dashed", "Waiting", "quiet"),
    f"step-{StepStatus.RUNNING}": ("loader-circle", "Running", "busy"),
    f"step-{StepStatus.SUCCEEDED}": ("circle-check", "Done", "good"),
    f"step-{StepStatus.FAILED}": ("triangle-alert", "Failed", "bad"),
    f"step-{StepStatus.ERRORED}": ("circle-x", "Errored", "bad"),
    f"step-{StepStatus.SKIPPED}": ("skip-forward", "Skipped", "quiet"),
    f"step-{StepStatus.CANCELLED}": ("circle-slash", "Cancelled", "quiet"),
    f"verdict-{Tone.GOOD}": ("circle-check", "As decided", "good"),
    f"verdict-{Tone.UNPROVEN}": ("circle-dashed", "Unproven", "quiet"),
    f"verdict-{Tone.BUSY}": ("loader-circle", "On its way", "busy"),
    f"verdict-{Tone.DEGRADED}": ("circle-alert", "Degraded", "busy"),
    f"verdict-{Tone.BAD}": ("triangle-alert", "Wrong", "bad"),
    "container-running": ("circle-check", "Running", "good"),
    "container-looping": ("triangle-alert", "Restarting in a loop", "bad"),
    "container-restarting": ("loader-circle", "Restarting", "busy"),
    "container-created": ("circle-dashed", "Not started", "quiet"),
    "container-paused": ("circle-pause", "Paused", "busy"),
    "container-removing": ("circle-dashed", "Being removed", "quiet"),
    "container-exited": ("circle-stop", "Ended", "bad"),
    "container-dead": ("circle-x", "Dead", "bad"),
    "gate-passed": ("circle-check", "Passed", "good"),
    "gate-failed": ("triangle-alert", "Not passed", "bad"),
    "gate-chosen": ("circle-check", "Chosen", "good"),
    "run-promoted": ("circle-check", "Promoted", "good"),
    "run-left": ("circle-alert", "Nothing promoted", "busy"),
}

# Icon, word, name of the page, the grant that shows it.
RAIL: tuple[tuple[str, str, str, str], ...] = (
    ("layout-grid", "Overview", "overview", "environments.read"),
    ("box", "Models", "models", "models.read"),
    ("zap", "Training", "training", "training.read"),
    ("workflow", "Pipelines", "pipelines", "pipelines.read"),
    ("message-square", "Talk", "talk", "conversations.write"),
    ("messages-square", "Conversations", "conversations", "conversations.read"),
    ("history", "History", "history", "environments.read"),
    ("key-round", "Access", "access", "roles.read"),
    ("scroll-text", "Audit", "audit", "audit.read"),
    ("settings", "Settings", "webhooks", "settings.read"),
)

# The key after `g` that leads to a page of the rail.
KEYS = {
    "overview": "o",
    "models": "m",
    "training": "t",
    "pipelines": "p",
    "talk": "k",
    "conversations": "c",
    "history": "h",
    "access": "a",
    "audit": "u",
    "webhooks": "s",
}
# What a phone shows in its bar; the others are behind "More".
AT_HAND = ("overview", "models", "talk", "history")

# The tabs of Settings: name of the page and word. Pages below one say which by `request.section`.
SETTINGS_TABS = (("webhooks", "Webhooks"), ("retention", "Retention"))

# The tab of Access that a page below it belongs to; all others are of users.
TAB_OF = dict.fromkeys(("roles", "role", "new-role", "delete-role"), "roles") | {
    "access-tokens": "access-tokens",
    "who-may": "who-may",
    "who-may-change": "who-may",
}
# So many people are named to somebody who lacks a grant.
ASKED = 3

DAY = 86400
BETWEEN_BACKTICKS = re.compile(r"`([^`\n]+)`")


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
    """Icon and word of a state, `kind` is `sync`, `health`, `replica`, `promotion`, `delivery` or `job`."""
    name, word, tone = SIGNS[f"{kind}-{state}"]
    words = f"{word} {figures}" if figures else word
    return format_html('<span class="sign {}">{}<span>{}</span></span>', tone, _icon(name, 16), words)


@register.simple_tag
def verdict_icon(tone: Tone) -> SafeString:
    """The sign before the one sentence, with a word for those who do not see it."""
    name, word, css = SIGNS[f"verdict-{tone}"]
    return format_html('<span class="{}">{}<span class="visually-hidden">{}:</span></span>', css, _icon(name, 20), word)


@register.filter
def prose(text: str) -> SafeString:
    """A message as the API sends it: what it writes between backticks is something to type."""
    parts = BETWEEN_BACKTICKS.split(text)
    shown = (format_html("<code>{}</code>" if n % 2 else "{}", part) for n, part in enumerate(parts))
    return format_html_join("", "{}", ((part,) for part in shown))


@register.filter
def roughly(seconds: float) -> str:
    return span(seconds)


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
def moment(at: datetime) -> SafeString:
    """An absolute time as one looks for it, `Tue 24 Nov, 09:00`, with the year where it is not this one's."""
    year = "" if at.year == timezone.now().year else f" {at.year}"
    words = f"{at:%a} {at.day} {at:%b}{year}, {at:%H:%M}"
    return format_html('<time datetime="{}" title="{} UTC">{}</time>', at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S}", words)


@register.simple_tag
def since(at: datetime | None) -> SafeString:
    """How long ago as a running clock, `0:41`."""
    if at is None:
        return mark_safe("")
    minutes, seconds = divmod(max(0, round((timezone.now() - at).total_seconds())), 60)
    return format_html('<time datetime="{}" data-clock>{}</time>', at.isoformat(), f"{minutes}:{seconds:02d}")


register.filter(lasted)


@register.filter
def env_class(color: str) -> str:
    return colors.css_class(color)


@register.filter
def browser(agent: str) -> str:
    """What a browser says of itself in two words, the whole of it where that is not understood."""
    names = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
    systems = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
    name = next((word for mark, word in names if mark in agent), "")
    system = next((word for word in systems if word in agent), "")
    return f"{name} on {system}" if name and system else name or agent[:40] or "a browser"


@register.filter
def plain(number: float) -> str:
    """A number for an attribute, in no language."""
    return f"{number:.4g}"


@register.filter
def share(number: float | None) -> str:
    """A figure between 0 and 1: `.912`."""
    return "–" if number is None else f"{number:.3f}".removeprefix("0")  # noqa: RUF001 (a dash)


@register.filter
def chance(p_value: float) -> str:
    """A p-value, which is never 0."""
    return "< .001" if p_value < 0.001 else share(p_value)


@register.filter
def change(number: float) -> str:
    """What a figure gained or lost: `+.012`."""
    rounded = round(number, 3)
    if rounded == 0:
        return "0"
    return f"{'+' if rounded > 0 else '−'}{share(abs(rounded))}"  # noqa: RUF001 (a minus)


@register.filter
def tone(number: float) -> str:
    """How a change of a figure is coloured."""
    rounded = round(number, 3)
    return "muted" if rounded == 0 else "good" if rounded > 0 else "bad"


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
def help(context: Any) -> Help | None:
    """What the page of this request is for."""
    match = context["request"].resolver_match
    return HELPS.get(match.url_name) if match else None


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


def sees_users(request: Any) -> bool:
    """Accounts are installation-wide: what counts is the default project, which is mostly the one of the page."""
    if request.project.name == projects.DEFAULT:
        return bool(request.actor.may(request.project, "users.read"))
    return not why_not(permissions.check_can_read_users, request.actor)


@register.simple_tag(takes_context=True)
def whom_to_ask(context: Any, problem: Any) -> str:
    """What to ask for, and of whom, for somebody who lacks a grant. Names are for those who may see users or roles."""
    request = context.get("request")
    if not isinstance(problem, MissingGrant) or getattr(request, "project", None) is None:
        return ""
    project, word = request.project, problem.data["grant"]
    people = []
    if request.actor.may(project, "roles.read") or sees_users(request):
        people = [user.username for user in holders.who_can_give(project, word, ASKED)]
    asked = role_sentences.listed(people, "or") if people else f"an administrator of {project.name}"
    return f"Ask {asked} for {word}."


@register.simple_tag(takes_context=True)
def access_tabs(context: Any) -> list[dict[str, Any]]:
    """The tabs of Access: what one may not see is not listed."""
    request = context["request"]
    name = request.project.name
    roles = [("roles", "Roles")] if request.actor.may(request.project, "roles.read") else []
    users = [("access", "Users")] if sees_users(request) else []
    others = [("access-tokens", "Tokens"), ("who-may", "Who may")] if users else []
    here = TAB_OF.get(request.resolver_match.url_name, "access")
    return [
        {"name": tab, "word": word, "url": reverse(tab, args=[name]), "here": tab == here}
        for tab, word in (*users, *roles, *others)
    ]


@register.simple_tag(takes_context=True)
def settings_tabs(context: Any) -> list[dict[str, Any]]:
    request = context["request"]
    here = getattr(request, "section", request.resolver_match.url_name)
    return [
        {"word": word, "url": reverse(name, args=[request.project.name]), "here": name == here}
        for name, word in SETTINGS_TABS
    ]


@register.filter
def event_word(event: str) -> str:
    return event_words.WORDS.get(event, event)


@register.filter
def kind_word(kind: str) -> str:
    return event_words.KINDS[WebhookKind(kind)]


@register.simple_tag(takes_context=True)
def rail(context: Any) -> list[dict[str, Any]]:
    """The entries of the rail: what one may not see is not listed."""
    request = context["request"]
    match = request.resolver_match
    current = getattr(request, "section", match.url_name if match else "")
    current = "webhooks" if current in dict(SETTINGS_TABS) else current
    return [
        {
            "icon": icon_name,
            "word": word,
            "url": reverse(name, args=[request.project.name]),
            "here": name == current,
            "key": KEYS.get(name, ""),
            "at_hand": name in AT_HAND,
        }
        for icon_name, word, name, grant in (RAIL if request.project else ())
        if request.actor.may(request.project, grant) or (name == "access" and sees_users(request))
    ]


@register.simple_tag(takes_context=True)
def other_projects(context: Any) -> list[Project]:
    """The projects one may turn to from here."""
    request = context["request"]
    if request.project is None:
        return []
    others = Project.objects.exclude(pk=request.project.pk).order_by("name")
    return [project for project in others if request.actor.sees(project)]


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


@register.filter
def item(values: list[Any], index: int) -> Any:
    """A member of a list by its number."""
    return values[index]
