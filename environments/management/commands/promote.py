"""`manage.py promote`: make an environment serve a model."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.actor import Actor
from environments import permissions
from environments.actions import promotions
from environments.management.promoting import NOTHING, PromotionCommand
from environments.models import Environment, TrainedModel


class Command(PromotionCommand):
    help = "Promote a model to an environment. Exit status: 1 refused, 3 it did not succeed, 4 not finished in time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help=f"{NOTHING} leaves the environment without a model")
        super().add_arguments(parser)
        parser.add_argument("--force", action="store_true", help="pass over a refusal for the Rasa version")

    def run(self, options: dict[str, Any]) -> None:
        told = self.told(options) | {"force": options["force"]}
        model = _model(options["model"], told["environment"], told["by"])
        if options["dry_run"]:
            current = promotions.current_model(told["environment"])
            self.foretell(promotions.foresee(model=model, **told), current, model)
        else:
            self.finish(promotions.promote(model=model, **told), options["wait"])


def _model(name: str, environment: Environment, by: Actor) -> TrainedModel | None:
    if name == NOTHING:
        return None
    permissions.check_can_read_models(by, environment.project)
    model = TrainedModel.objects.visible_to(by, environment.project).filter(name=name).first()
    if model is None:
        raise CommandError(f"There is no model {name}.")
    return model
