"""`manage.py apply_retention`: take away now what the rules of a project do not keep, or tell what that would be."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import filesizeformat

from accounts.actor import COMMAND, system
from accounts.models import Project
from environments.actions import retention, retention_plans
from environments.actions.retention_plans import Item


class Command(BaseCommand):
    help = "Delete the models, bundles and logs of jobs that no rule of retention keeps. It happens each night as well."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", default="default")
        parser.add_argument("--dry-run", action="store_true", help="tell what would go and why all else is kept")

    def handle(self, *args: Any, project: str, dry_run: bool, **options: Any) -> None:
        found = Project.objects.filter(name=project).first()
        if found is None:
            raise CommandError(f"There is no project {project}.")
        rules = retention.of(found)
        if dry_run:
            self._foretell(retention_plans.plan(found, retention.rules_of(rules)))
        if not rules.enabled:
            self.stdout.write(f"Retention of {found.name} is off: nothing goes by itself.")
        elif not dry_run:
            done = retention.apply(project=found, by=system(COMMAND))
            self.stdout.write(f"{done.models} models and {done.bundles} bundles went, {_bytes(done.freed)}.")
            if done.logs:
                self.stdout.write(f"The logs of {done.logs} jobs went.")
            if done.messages:
                self.stdout.write(f"{done.messages} messages to bots were forgotten.")
            if done.spared:
                self.stdout.write(f"{done.spared} came to be needed meanwhile and stayed.")

    def _foretell(self, plan: retention_plans.Plan) -> None:
        for item in plan.items:
            self.stdout.write(
                f"{_word(item):<6} {item.kind} {item.name}  {_bytes(item.size)}  {'; '.join(item.reasons)}"
            )
        self.stdout.write(f"{len(plan.going)} would go, which frees {_bytes(plan.frees)}.")
        if plan.logs.going:
            self.stdout.write(f"The logs of {plan.logs.going} jobs would go, {plan.logs.kept} stay.")
        if plan.messages:
            self.stdout.write(f"{plan.messages} messages to bots would be forgotten.")


def _word(item: Item) -> str:
    return "goes" if item.goes else "kept"


def _bytes(count: int) -> str:
    return filesizeformat(count).replace("\xa0", " ")
