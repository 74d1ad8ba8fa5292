"""The way from an empty installation to a model that people talk to: four steps, each done by what is seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from environments.models import Environment, Promotion
from environments.pages import connect
from environments.pages.access import PageRequest
from environments.pages.commands import public_url
from environments.serving import turned_away
from environments.serving.reports import EnvironmentReport
from environments.states import Kind, PromotionStatus


@dataclass(frozen=True)
class Seen:
    """A Rasa server that was heard."""

    name: str
    environment: str
    at: datetime


def needed(environments: Sequence[Environment]) -> bool:
    """Until one promotion was proved."""
    proved = Promotion.objects.filter(environment__in=environments, status=PromotionStatus.SUCCEEDED)
    return bool(environments) and not proved.exclude(model=None).exists()


def context(request: PageRequest, reports: Sequence[EnvironmentReport], models: int) -> dict[str, Any]:
    """What the steps show. `reports` are of all environments; the lines to paste are of the first that serves. The
    token itself stands on the Connect tab alone: this page asks for itself every few seconds."""
    owners = [report for report in reports if report.environment.follows is None]
    first = next((report for report in owners if report.environment.kind == Kind.SERVING), reports[0])
    return {
        "environment": first.environment,
        "snippets": connect.snippets(first.environment, public_url(request), show_token=False),
        "seen": _heard(reports),
        "turned_away": turned_away.last(first.environment),
        "models": models,
        "promoted": any(report.model for report in owners),
    }


def _heard(reports: Sequence[EnvironmentReport]) -> Seen | None:
    """The server that polled last."""
    heard = [
        Seen(member.name, report.environment.name, member.last_poll_at)
        for report in reports
        for member in report.members
        if member.last_poll_at
    ]
    return max(heard, key=lambda one: one.at, default=None)
