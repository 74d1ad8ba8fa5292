"""`manage.py rollback`: bring back the model an environment served before."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from environments import permissions
from environments.actions import promotions
from environments.management.promoting import PromotionCommand
from environments.models import Promotion


class Command(PromotionCommand):
    help = "Roll an environment back. Exit status: 1 refused, 3 it did not succeed, 4 not finished in time."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--to", type=int, metavar="ID", help="the promotion whose model is wanted again")

    def run(self, options: dict[str, Any]) -> None:
        told = self.told(options)
        environment, to = told["environment"], None
        permissions.check_can_see_environment(told["by"], environment)
        if options["to"] is not None:
            to = Promotion.objects.filter(environment=environment, pk=options["to"]).select_related("model").first()
            if to is None:
                raise CommandError(f"{environment} has no promotion {options['to']}.")
        if options["dry_run"]:
            model = (to or promotions.rollback_target(environment)).model
            if model is None:
                raise CommandError(f"Promotion {options['to']} left {environment} without a model. Choose another one.")
            current = promotions.current_model(environment)
            self.foretell(promotions.foresee(model=model, **told), current, model)
        else:
            self.finish(promotions.rollback(to=to, **told), options["wait"])
