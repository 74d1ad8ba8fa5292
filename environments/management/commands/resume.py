"""`manage.py resume`: decide what frozen environments serve after a restore."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.problems import Problem
from environments.actions import freezes
from environments.management.promoting import actor_named
from environments.models import Environment, TrainedModel
from environments.serving.freezes import Decision, decisions
from environments.serving.reports import reports

NOTHING = "-"


class Command(BaseCommand):
    help = "Decide, after a restore, what frozen environments serve from now on. Without a choice: show what waits."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("environment", nargs="*", help="all that are frozen where none is named")
        parser.add_argument("--project", default="default")
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument("--backup", action="store_true", help="what the backup says; servers change to it")
        choice.add_argument("--servers", action="store_true", help="what its servers have; none changes")
        choice.add_argument("--model", metavar="MODEL", help=f"this one; {NOTHING} for none")
        parser.add_argument("--reason", default="", help="kept in the audit trail and the history")
        parser.add_argument("--by", default="admin", metavar="USERNAME", help="who decides, held to their permissions")

    def handle(self, *args: Any, **options: Any) -> None:
        waiting = self._waiting(options["project"], options["environment"])
        if not (options["backup"] or options["servers"] or options["model"]):
            self._show(waiting)
            return
        try:
            with transaction.atomic():
                for decision in waiting:
                    self._resume(decision, options)
        except Problem as problem:
            raise CommandError(problem.detail) from problem

    def _waiting(self, project: str, names: list[str]) -> list[Decision]:
        environments = Environment.objects.active().filter(project__name=project).select_related("project", "follows")
        waiting = decisions(reports(environments.order_by("order", "name")))
        unknown = set(names) - {decision.report.environment.name for decision in waiting}
        if unknown:
            raise CommandError(f"{', '.join(sorted(unknown))} of {project} is not frozen, or there is none.")
        return [decision for decision in waiting if not names or decision.report.environment.name in names]

    def _show(self, waiting: list[Decision]) -> None:
        if not waiting:
            self.stdout.write("No environment is frozen.")
        for decision in waiting:
            model = decision.report.model
            self.stdout.write(f"{decision.report.environment}: the backup says {model or 'no model'}")
            for served in decision.served:
                unknown = "" if served.model else ", which the backup does not know: upload it again"
                name = served.name or f"the archive {served.archive}"
                self.stdout.write(f"  {', '.join(served.replicas)}: has {name}{unknown}")
            for what, names in (("has no model", decision.empty), ("was not heard", decision.silent)):
                if names:
                    self.stdout.write(f"  {', '.join(names)}: {what}")

    def _resume(self, decision: Decision, options: dict[str, Any]) -> None:
        environment = decision.report.environment
        model = self._chosen(decision, options)
        freezes.resume(environment=environment, model=model, by=actor_named(options["by"]), reason=options["reason"])
        self.stdout.write(f"{environment} goes on with {model or 'no model'}")

    def _chosen(self, decision: Decision, options: dict[str, Any]) -> TrainedModel | None:
        environment = decision.report.environment
        if options["backup"]:
            return decision.report.model
        if options["model"]:
            return self._named(environment, options["model"])
        if decision.kept is None and decision.served:
            raise CommandError(
                f"The servers of {environment} do not all have one model that is known. Name it with --model, and "
                "upload it first where the backup does not know it."
            )
        # Where no server has any, none changes by what the backup says but those that are empty.
        return decision.kept or decision.report.model

    def _named(self, environment: Environment, name: str) -> TrainedModel | None:
        if name == NOTHING:
            return None
        found = TrainedModel.objects.present().filter(project=environment.project, name=name).first()
        if found is None:
            raise CommandError(f"There is no model {name}.")
        return found
