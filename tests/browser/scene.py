"""The scene of the browser tests and of the screenshots: a team that has worked with three environments for days.

Run in a process of its own (`python -m tests.browser.scene`), with the home of the installation to fill in its
environment; prints the service tokens of the environments as JSON.
"""

import io
import json
import sys
from datetime import datetime, timedelta
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402 (Django must be set up before its models are imported)
from django.utils import timezone  # noqa: E402
from guardian.shortcuts import assign_perm  # noqa: E402

from accounts.actor import PAGE, Actor  # noqa: E402
from accounts.models import Project, User  # noqa: E402
from environments.actions import promotions  # noqa: E402
from environments.models import Environment, Promotion, Proof, ServerCheck, TrainedModel  # noqa: E402
from environments.receiving import receive_model  # noqa: E402
from environments.serving.service_tokens import service_token  # noqa: E402
from environments.states import PromotionStatus  # noqa: E402
from tests.archives import rasa_archive  # noqa: E402

PASSWORD = "otters-swim-in-rivers"

INTENTS = [
    "greet",
    "goodbye",
    "affirm",
    "deny",
    "bot_challenge",
    "ask_help",
    "thank",
    "ask_balance",
    "transfer_money",
    "block_card",
    "unblock_card",
    "order_card",
    "report_fraud",
    "change_pin",
    "find_atm",
    "opening_hours",
    "ask_iban",
    "ask_fees",
    "ask_interest",
    "open_account",
    "close_account",
    "update_address",
    "update_phone",
    "ask_limit",
    "raise_limit",
    "list_transactions",
    "dispute_transaction",
    "schedule_payment",
    "cancel_payment",
    "ask_exchange_rate",
    "talk_to_human",
    "feedback_good",
    "feedback_bad",
    "ask_loan",
    "apply_loan",
    "ask_mortgage",
    "book_appointment",
    "cancel_appointment",
    "holiday_notice",
]
SLOTS = ("account", "amount", "iban", "card", "recipient", "date", "branch")
FORMS = ("transfer_form", "block_card_form", "appointment_form")
ACTIONS = ("action_check_balance", "action_transfer", "action_block_card", "action_find_atm", "action_book")
PIPELINE = ("WhitespaceTokenizer", "RegexFeaturizer", "CountVectorsFeaturizer", "DIETClassifier", "FallbackClassifier")
POLICIES = ("MemoizationPolicy", "RulePolicy", "TEDPolicy")


def graph(pipeline: tuple[str, ...], policies: tuple[str, ...]) -> dict[str, Any]:
    """The `predict_schema` that Rasa writes for these components."""
    nodes: dict[str, Any] = {}
    before = "nlu_message_converter"
    for index, name in enumerate(pipeline):
        node = f"run_{name}{index}"
        config = {"epochs": 100} if name == "DIETClassifier" else {}
        nodes[node] = {"uses": f"rasa.nlu.{name}", "needs": {"messages": before}, "config": config}
        before = node
    nodes["run_RegexMessageHandler"] = {"uses": "rasa.nlu.RegexMessageHandler", "needs": {"messages": before}}
    for index, name in enumerate(policies):
        nodes[f"run_{name}{index}"] = {"uses": f"rasa.core.{name}", "config": {"priority": index + 1}}
    needs = {f"policy{index}": f"run_{name}{index}" for index, name in enumerate(policies)}
    nodes["select_prediction"] = {"uses": "rasa.core.DefaultPolicyPredictionEnsemble", "needs": needs}
    return {"nodes": nodes}


def archive(name: str, trained_at: datetime, intents: int, slots: int, *, version: str = "3.6.21") -> bytes:
    """An archive with this many of `INTENTS` and `SLOTS`."""
    used = INTENTS[:intents]
    domain = {
        "entities": ["amount", "iban", "card_type", "place"],
        "slots": {slot: {"type": "text", "mappings": []} for slot in SLOTS[:slots]},
        "responses": {f"utter_{intent}": [{"text": f"About {intent}, {intents}"}] for intent in used},
        "actions": list(ACTIONS),
        "forms": {form: {"required_slots": []} for form in FORMS},
    }
    return rasa_archive(
        name,
        intents=used,
        trained_at=trained_at.replace(tzinfo=None).isoformat(),
        version=version,
        domain=domain,
        predict_schema=graph(PIPELINE, POLICIES),
        assistant_id="banking",
    )


def days(count: float) -> timedelta:
    return timedelta(days=count)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


class Scene:
    def __init__(self) -> None:
        self.now = timezone.now()
        self.project, _ = Project.objects.get_or_create(name="default")
        self.ana = self.person("ana", is_superuser=True)
        self.ben = self.person("ben")
        self.mia = self.person("mia", is_superuser=True)

    def person(self, name: str, **more: Any) -> User:
        user = User(username=name, **more)
        user.set_password(PASSWORD)
        user.save()
        return user

    def environment(self, name: str, color: str, order: int, **more: Any) -> Environment:
        values = {"color": color, "order": order, "url": f"http://rasa-{name}:5005", "pull_interval": 2, **more}
        environment, _ = Environment.objects.update_or_create(project=self.project, name=name, defaults=values)
        return environment

    def model(self, name: str, age: timedelta, intents: int, slots: int, by: User) -> TrainedModel:
        content = io.BytesIO(archive(name, self.now - age, intents, slots))
        model = receive_model(project=self.project, name=name, stream=content, by=Actor(by, PAGE)).model
        model.registered_at = self.now - age + timedelta(minutes=4)
        model.save(update_fields=["registered_at"])
        return model

    def promotion(
        self,
        environment: Environment,
        model: TrainedModel,
        by: User,
        age: timedelta,
        reason: str = "",
        took: tuple[float, ...] = (18, 21, 41),
    ) -> Promotion:
        made = promotions.promote(environment=environment, model=model, by=Actor(by, PAGE), reason=reason).promotion
        return self.past(made, age, took)

    def rollback(self, environment: Environment, by: User, age: timedelta, reason: str) -> Promotion:
        made = promotions.rollback(environment=environment, by=Actor(by, PAGE), reason=reason).promotion
        return self.past(made, age, (6, 7, 9))

    def past(self, made: Promotion, age: timedelta, took: tuple[float, ...]) -> Promotion:
        """The promotion as if it had been made `age` ago and proved by a replica after each of `took` seconds."""
        at = self.now - age
        for number, seconds in enumerate(took[: made.environment.replicas], start=1):
            proved = at + timedelta(seconds=seconds)
            name = f"rasa-{made.environment.name}-{number}"
            Proof.objects.create(
                environment=made.environment,
                replica=name,
                model=made.model,
                promotion=made,
                first_at=proved,
                proved_at=proved,
            )
        made.created_at = at
        made.status, made.finished_at = PromotionStatus.SUCCEEDED, at + timedelta(seconds=took[-1])
        made.save()
        return made

    def play(self) -> dict[str, str]:
        production = self.environment("production", "#0e7490", 0, protected=True, replicas=3)
        experimental = self.environment("experimental", "#7c3aed", 1, replicas=2)
        worker = self.environment("worker", "#64748b", 2, kind="training", follows=production)
        for grant in ("environments.read", "models.read", "models.write", "training.read", "conversations.write"):
            assign_perm(f"accounts.{grant}", self.ben, self.project)
        assign_perm("environments.write", self.ben, experimental)
        minutes = timedelta(minutes=10)
        self.model("late-ember", days(14), 35, 6, self.mia)
        heron = self.model("calm-heron", days(9), 36, 6, self.mia)
        fox = self.model("brisk-fox", days(3), 37, 7, self.ben)
        schema = self.model("gritty-schema", days(2), 37, 6, self.ana)
        otter = self.model("brisk-otter", minutes, 39, 6, self.ben)
        self.promotion(production, heron, self.mia, days(9), "first release")
        self.promotion(experimental, fox, self.ben, days(3), "shorter answers", took=(9, 14))
        self.promotion(production, fox, self.mia, days(2) + hours(9), "shorter answers")
        self.rollback(production, self.ana, days(2) + hours(5), "fallbacks doubled in an hour")
        self.promotion(experimental, schema, self.ana, days(2) + hours(1), "holiday intents", took=(9, 14))
        self.promotion(production, schema, self.ana, days(2), "holiday intents")
        self.promotion(experimental, otter, self.ben, minutes, "nightly", took=(9, 14))
        for environment in (production, experimental, worker):
            ServerCheck.objects.create(
                environment=environment,
                due_at=self.now + days(30),
                checked_at=self.now,
                reached_at=self.now,
                version="3.6.21",
                minimum_compatible_version="3.6.21",
            )
        return {environment.name: service_token(environment) for environment in (production, experimental, worker)}


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    sys.stdout.write(json.dumps(Scene().play()))
