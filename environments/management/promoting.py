"""What `promote` and `rollback` share on the command line: who acts, where, what was seen, and the wait for the end.

Exit status: 0 done (with `--wait`: every replica proved it), 1 refused, 3 it did not succeed, 4 not finished in time.
"""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.actor import COMMAND, Actor
from accounts.models import Project, User
from accounts.problems import Problem
from environments import diffs
from environments.actions import promotions
from environments.models import Environment, Promotion, TrainedModel
from environments.serving.reports import EnvironmentReport, report
from environments.states import PromotionStatus

NOTHING = "-"
WAIT = 600.0
LOOK_EVERY = 0.2
UNSUCCESSFUL, UNFINISHED = 3, 4


class PromotionCommand(BaseCommand):
    """A command that ends in one promotion, by the same action as every other door."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("environment")
        parser.add_argument("--project", default="default")
        parser.add_argument("--reason", default="", help="kept in the history")
        parser.add_argument("--expected", metavar="MODEL", help=f"the model you saw there, {NOTHING} for none")
        parser.add_argument("--by", default="admin", metavar="USERNAME", help="who acts, held to their permissions")
        parser.add_argument("--dry-run", action="store_true", help="tell what would happen and change nothing")
        parser.add_argument(
            "--wait",
            type=float,
            nargs="?",
            const=WAIT,
            metavar="SECONDS",
            help=f"until every replica proved it; {WAIT:.0f} where no number is given",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.run(options)
        except Problem as problem:
            raise CommandError(problem.detail) from problem

    def run(self, options: dict[str, Any]) -> None:
        raise NotImplementedError

    def told(self, options: dict[str, Any]) -> dict[str, Any]:
        """What every promotion takes, from the options."""
        expected = options["expected"]
        seen = None if expected == NOTHING else expected
        return {
            "environment": _environment(options["project"], options["environment"]),
            "by": actor_named(options["by"]),
            "reason": options["reason"],
            "expected": promotions.UNSPECIFIED if expected is None else seen,
        }

    def foretell(self, foreseen: promotions.Foreseen, current: TrainedModel | None, model: TrainedModel | None) -> None:
        if foreseen.refused:
            raise foreseen.refused
        self.stdout.write(f"would: {_sentence(foreseen.promotion)}")
        self.stdout.writelines(_differences(current, model))

    def finish(self, outcome: promotions.Outcome, wait: float | None) -> None:
        promotion = outcome.promotion
        what = (
            _sentence(promotion)
            if outcome.created
            else f"{promotion.environment} has {promotion.model or 'no model'} already"
        )
        self.stdout.write(f"{what} (promotion {promotion.pk})")
        if promotion.note:
            self.stdout.write(f"note: {promotion.note}")
        if wait is not None:
            self._watch(promotion, wait)

    def _watch(self, promotion: Promotion, wait: float) -> None:
        """Each news on a line of its own, then how it ended."""
        began, shown = time.monotonic(), ""
        while promotion.status == PromotionStatus.ROLLING_OUT:
            if time.monotonic() - began >= wait:
                raise CommandError(f"promotion {promotion.pk} is still rolling out.", returncode=UNFINISHED)
            if (news := _progress(report(promotion.environment))) != shown:
                shown = news
                self.stdout.write(f"{time.monotonic() - began:7.1f} s  {news}")
            time.sleep(LOOK_EVERY)
            promotion.refresh_from_db(fields=["status", "finished_at", "error_code", "error_detail"])
        if promotion.status != PromotionStatus.SUCCEEDED:
            why = f": {promotion.error_detail}" if promotion.error_detail else "."
            raise CommandError(f"promotion {promotion.pk} {promotion.status}{why}", returncode=UNSUCCESSFUL)
        self.stdout.write(
            f"{time.monotonic() - began:7.1f} s  succeeded, {promotion.seconds:.1f} s after the promotion"
        )


def actor_named(username: str) -> Actor:
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active user {username}. Name one with --by.")
    return Actor(user=user, via=COMMAND)


def _environment(project: str, name: str) -> Environment:
    if not Project.objects.filter(name=project).exists():
        raise CommandError(f"There is no project {project}.")
    found = Environment.objects.filter(project__name=project, name=name).select_related("project", "follows").first()
    if found is None:
        raise CommandError(f"There is no environment {name}.")
    return found


def _sentence(promotion: Promotion) -> str:
    before, after = promotion.previous_model or "no model", promotion.model or "no model"
    return f"{promotion.environment}: {before} → {after}"


def _progress(now: EnvironmentReport) -> str:
    proved = sum(member.proved for member in now.members)
    news = f"{proved} of {now.replicas.expected} replicas prove it"
    states = [f"{member.name} is {member.state}" for member in now.members if not member.proved]
    return "; ".join([news, *states])


def _differences(a: TrainedModel | None, b: TrainedModel | None) -> list[str]:
    """A line for each kind in which the models differ."""
    diff = diffs.diff(a.metadata if a else {}, b.metadata if b else {})
    signs = {"added": "+", "removed": "-", "changed": "~"}
    lines = []
    for kind in diffs.KINDS:
        names = [f"{sign}{name}" for change, sign in signs.items() for name in diff[kind][change]]
        lines += [f"  {kind}: {' '.join(names)}\n"] if names else []
    lines += [f"  {part} differ\n" for part in ("pipeline", "policies") if diff[part]["a"] != diff[part]["b"]]
    return lines
