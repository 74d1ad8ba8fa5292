"""`manage.py status`: environments, models, sync, health and replicas."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from environments.models import Environment
from environments.serving.members import ReplicaReport
from environments.serving.reports import EnvironmentReport, reports

ROW = "{:<24} {:<32} {:<12} {:<12} {:<9} {}"
MEMBER = "  {:<38} {:<9} {:<32} {}"


class Command(BaseCommand):
    help = "Show which model each environment should serve, and which replica proves it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for machines")

    def handle(self, *args: Any, **options: Any) -> None:
        environments = Environment.objects.active().select_related("project", "follows")
        found = reports(environments.order_by("project__name", "order", "name"))
        if options["json"]:
            self.stdout.write(json.dumps([as_json(report) for report in found], indent=2))
        elif not found:
            self.stdout.write(
                "No environments yet. Declare them in environments.yml and run manage.py sync_environments."
            )
        else:
            self.table(found)

    def table(self, found: list[EnvironmentReport]) -> None:
        self.stdout.write(ROW.format("ENVIRONMENT", "MODEL", "SYNC", "HEALTH", "REPLICAS", "SINCE").rstrip())
        for report in found:
            project, name = report.environment.project.name, report.environment.name
            shown = name if project == "default" else f"{project}/{name}"
            proved = sum(member.proved for member in report.members)
            since = f"{report.since:%Y-%m-%d %H:%M} by {report.promoted_by}" if report.since else "-"
            model = report.model.name if report.model else "-"
            replicas = f"{proved}/{report.replicas.expected}"
            self.stdout.write(ROW.format(shown, model, report.sync, report.health, replicas, since).rstrip())
            for member in report.members:
                self.stdout.write(MEMBER.format(member.name, member.state, member.model or "-", _ago(member)).rstrip())
            for reason in report.reasons:
                self.stdout.write(f"  ! {reason}")


def _ago(member: ReplicaReport) -> str:
    if member.last_poll_at is None:
        return "by /status"
    return f"polled {(timezone.now() - member.last_poll_at).total_seconds():.0f} s ago"


def as_json(report: EnvironmentReport) -> dict[str, Any]:
    """One environment as the JSON form shows it; times are RFC 3339."""
    return {
        "name": report.environment.name,
        "project": report.environment.project.name,
        "model": report.model.name if report.model else None,
        "sync": report.sync.value,
        "health": report.health.value,
        "since": report.since.isoformat() if report.since else None,
        "promoted_by": report.promoted_by,
        "frozen": report.environment.is_frozen,
        "reasons": list(report.reasons),
        "replicas": [
            {
                "name": member.name,
                "state": member.state.value,
                "model": member.model,
                "proved": member.proved,
                "last_poll_at": member.last_poll_at.isoformat() if member.last_poll_at else None,
            }
            for member in report.members
        ],
    }
