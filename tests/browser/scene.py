"""The scene of the browser tests and of the screenshots: a team that has worked with three environments for days.

Run in a process of its own (`python -m tests.browser.scene`), with the home of the installation to fill in its
environment; prints the service tokens of the environments as JSON.
"""

import io
import json
import os
import sys
from datetime import timedelta
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402 (Django must be set up before its models are imported)
from django.utils import timezone  # noqa: E402

from accounts.actions import api_tokens  # noqa: E402
from accounts.actor import COMMAND, PAGE, Actor, system  # noqa: E402
from accounts.models import ApiToken, Project, Role, User  # noqa: E402
from environments import rasa_reports  # noqa: E402
from environments.actions import (  # noqa: E402
    guest_links,
    marked_examples,
    promotions,
    repositories,
    roles,
    tags,
    users,
)
from environments.models import (  # noqa: E402
    Alert,
    Bundle,
    Delivery,
    Environment,
    Evaluation,
    Job,
    Message,
    PipelineRun,
    PipelineStep,
    Promotion,
    Proof,
    ServerCheck,
    TrainedModel,
    Webhook,
)
from environments.receiving import receive_model  # noqa: E402
from environments.serving.service_tokens import service_token  # noqa: E402
from environments.states import PromotionStatus  # noqa: E402
from tests.browser.bank import archive  # noqa: E402
from tests.browser.installation import GUEST_TOKEN  # noqa: E402
from tests.pipelines import declare  # noqa: E402

PASSWORD = "otters-swim-in-rivers"

BUNDLE = {"intents": 39, "examples": 812, "stories": 64, "rules": 21, "flows": 0}


def days(count: float) -> timedelta:
    return timedelta(days=count)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


class Scene:
    def __init__(self) -> None:
        self.now = timezone.now()
        self.project, _ = Project.objects.get_or_create(name="default")
        roles.ensure_built_in(project=self.project, by=system(COMMAND))
        self.ana = self.person("ana", "admin")
        self.ben = self.person("ben", "developer")
        self.mia = self.person("mia", "admin")
        self.tom = self.person("tom", "tester")

    def person(self, name: str, role: str) -> User:
        user = User.objects.create_user(name, PASSWORD)
        user.groups.add(Role.objects.get(project=self.project, name=role).group_id)
        return user

    def nightly(self, production: Environment, serving: TrainedModel, trained: TrainedModel) -> None:
        """A pipeline of every night, whose last run promoted nothing, and the repository it could be fed from."""
        by = Actor(self.ana, PAGE)
        pipeline = declare(
            self.project,
            by,
            promote="production",
            on={"schedule": "0 3 * * *", "time_zone": "Europe/Prague"},
            gates={"minimum_f1": 0.8, "better_than_serving": {"margin": 0.01}},
        )
        told = (
            ("minimum_f1", True, "F1 is 0.912; at least 0.8 is asked."),
            (
                "better_than_serving",
                False,
                f"Against {serving.name} F1 rose from 0.905 to 0.912 (+0.007; at least +0.010 is asked). p = 0.31 by "
                "McNemar's test, more than 0.05.",
            ),
        )
        run = PipelineRun.objects.create(
            pipeline=pipeline,
            declaration=pipeline.declaration,
            trigger="schedule",
            status="failed",
            by_name="the schedule",
            owner=self.ana,
            bundle=Bundle.objects.get(),
            serving=serving,
            gates=[
                {"name": name, "passed": passed, "detail": detail, "model": trained.name, "config": "config.yml"}
                for name, passed, detail in told
            ],
            error_code="gates-not-passed",
            error_detail="No model passed the gates.",
            started_at=self.now - hours(7),
            finished_at=self.now - hours(6.9),
        )
        PipelineRun.objects.filter(pk=run.pk).update(created_at=self.now - hours(7))
        steps = (
            ("source", "source", "succeeded", ""),
            ("train config.yml", "train", "succeeded", f"{trained.name} in 4 m 10 s"),
            ("evaluate config.yml", "evaluate", "succeeded", "F1 0.912 over 48 utterances"),
            ("gates", "gates", "failed", ""),
            ("promote to production", "promote", "skipped", ""),
        )
        for position, (name, kind, status, detail) in enumerate(steps):
            PipelineStep.objects.create(
                run=run, position=position, name=name, kind=kind, status=status, detail=detail, finished_at=self.now
            )
        repositories.define(
            project=self.project, name="otter-bot", url="https://git.example.com/otter-bank/bot.git", ref="main", by=by
        )

    def team(self) -> None:
        """A role of their own, a service account with tokens, somebody who is invited, somebody who left."""
        by, narrow = system(COMMAND), ["environments.read", "models.read", "environments.experimental.write"]
        managers = roles.create(
            project=self.project,
            name="release manager",
            description="Decides with the product owner what goes live.",
            grants=[*narrow, "environments.production.write"],
            by=by,
        )
        self.mia.groups.add(managers.group_id)
        ci = users.create(username="ci-nightly", project=self.project, roles=[managers], is_service=True, by=by)
        self.token(ci, "nightly pipeline", hours(3), narrow)
        self.token(ci, "release job", days(2), None)
        self.token(self.ben, "laptop", timedelta(minutes=20), None)
        for name, role in (("kim", "annotator"), ("leo", "tester")):
            named = roles.named(self.project, [role])
            users.create(username=name, email=f"{name}@example.org", project=self.project, roles=named, by=by)
        users.deactivate(user=User.objects.get(username="leo"), by=by)

    def token(self, user: User, name: str, used: timedelta, grants: list[str] | None) -> None:
        made, _ = api_tokens.create(
            user=user, name=name, by=Actor(user, PAGE), grants=grants, expires_at=self.now + days(60)
        )
        ApiToken.objects.filter(pk=made.pk).update(last_used_at=self.now - used)

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

    def jobs(self, made: TrainedModel) -> None:
        """One training that is done, and one that runs."""
        bundle = Bundle.objects.create(
            project=self.project, hash="0" * 64, size=48_000, by=self.ben, by_name="ben", counts=BUNDLE
        )
        common = {"project": self.project, "kind": "training", "by": self.ben, "by_name": "ben", "bundle": bundle}
        done = Job.objects.create(**common, status="succeeded", result=made, model_name=made.name)
        # No worker renews it: it runs for as long as anybody looks at it.
        common |= {"lease_until": self.now + timedelta(days=1)}
        running = Job.objects.create(**common, status="running", progress=0.64, step="DIETClassifier, epoch 64 of 100")
        ended = self.now - timedelta(minutes=10)
        done.started_at, done.finished_at = ended - timedelta(minutes=4, seconds=10), ended
        done.save()
        running.started_at = self.now - timedelta(minutes=2, seconds=35)
        running.save()
        Job.objects.filter(pk=done.pk).update(created_at=done.started_at)
        Job.objects.filter(pk=running.pk).update(created_at=running.started_at)

    def evaluated(self) -> None:
        """Each model by the same 48 utterances: the newer, the fewer it gets wrong, and each gets others wrong."""
        bundle = Bundle.objects.get()
        intents = ("transfer_money", "ask_balance", "block_card", "opening_hours", "order_card", "goodbye")
        for number, model in enumerate(TrainedModel.objects.order_by("pk")):
            predictions = [
                {
                    "text": f"{intent.replace('_', ' ')}, please ({at})",
                    "intent": intent,
                    "predicted": intents[(kind + 1) % 6]
                    if (kind * 8 + at + number * 5) % (6 + number) == 0
                    else intent,
                    "confidence": 0.62 + 0.04 * at,
                }
                for kind, intent in enumerate(intents)
                for at in range(8)
            ]
            told = {"intent_evaluation": {"predictions": predictions}}
            common = {
                "project": self.project,
                "by": self.ben,
                "by_name": "ben",
                "bundle": bundle,
                "status": "succeeded",
            }
            job = Job.objects.create(kind="evaluation", **common, finished_at=self.now, model_name=model.name)
            Evaluation.objects.create(
                project=self.project,
                job=job,
                model=model,
                bundle=bundle,
                test_hash="1" * 64,
                tested=len(predictions),
                predictions=predictions,
                intents=rasa_reports.understood(told, []).intents,
            )

    def trained(self, count: int) -> None:
        """Trainings of the weeks before, each a little longer than the one before."""
        bundle = Bundle.objects.get()
        common = {"project": self.project, "kind": "training", "by": self.ben, "by_name": "ben", "bundle": bundle}
        for number in range(count):
            ended = self.now - days(count - number + 2)
            seconds = 150 + 9 * number + 31 * (number % 4)
            job = Job.objects.create(**common, status="succeeded", model_name=f"nightly-{number + 1}")
            Job.objects.filter(pk=job.pk).update(
                created_at=ended, started_at=ended - timedelta(seconds=seconds), finished_at=ended
            )

    def notifications(self, environment: Environment) -> None:
        """Three targets, one of which is away; what was sent to the team's; a replica that is silent."""
        common = {"project": self.project, "by": self.ana, "by_name": "ana"}
        team = Webhook.objects.create(
            **common,
            name="team channel",
            kind="slack",
            target="https://hooks.example.com/services/x",
            shown_target="hooks.example.com/…",
        )
        Webhook.objects.create(
            **common,
            name="release board",
            kind="signed",
            target="https://board.example.com/hook",
            secret="a-secret-of-the-scene",
            shown_target="board.example.com/…",
            events=["promotion.started", "promotion.succeeded", "promotion.failed"],
            environments=["production"],
            failures=4,
            rests_until=self.now + timedelta(minutes=2),
        )
        Webhook.objects.create(
            **common,
            name="on call",
            kind="email",
            target="ops@example.com",
            shown_target="o…@example.com",
            enabled=False,
        )
        told = (
            ("replica.silent", f"{environment.name}: replica rasa-2 is silent", "failed", 31, 500, hours(26)),
            ("promotion.succeeded", "production serves gritty-schema", "delivered", 1, 200, days(2)),
            ("job.failed", "Training 7 failed", "waiting", 3, None, timedelta(minutes=2)),
        )
        for event, subject, status, attempts, answer, age in told:
            delivery = Delivery.objects.create(
                webhook=team,
                event=event,
                payload={"id": subject, "subject": subject, "text": "", "environment": environment.name},
                status=status,
                attempts=attempts,
                response_status=answer,
                error={"failed": "It answered with the status 500.", "waiting": "It did not answer in time."}.get(
                    status, ""
                ),
                next_at=self.now + timedelta(minutes=1) if status == "waiting" else None,
                retry_until=self.now + days(1),
            )
            Delivery.objects.filter(pk=delivery.pk).update(created_at=self.now - age)
        Alert.objects.create(
            environment=environment,
            event="replica.silent",
            subject="rasa-production-4",
            detail="No poll for three intervals: it stopped, cannot reach the control plane, or its token is wrong.",
            since=self.now - timedelta(minutes=12),
            told_at=self.now - timedelta(minutes=7),
        )

    def conversations(self, live: Environment, now: TrainedModel, trial: Environment, next_one: TrainedModel) -> None:
        """What end users, guests and the team said in the last hours."""
        said = (
            (live, now, "end_user", "c-90412", "Where is the nearest branch?", "find_atm", 0.94, hours(0.1)),
            (live, now, "end_user", "c-90411", "my card was stolen in Porto", "block_card", 0.41, hours(0.4)),
            (trial, next_one, "guest", "guest-5b1f", "آیا امروز باز هستید؟", "nlu_fallback", 0.3, hours(1.2)),
            (live, now, "end_user", "c-90397", "thanks, bye 👋", "goodbye", 0.99, hours(2)),
            (live, now, "api", "smoke-test", "hi", "greet", 1.0, hours(3)),
            (live, now, "end_user", "c-90388", "send 40 € to Ana tomorrow", "transfer_money", 0.88, hours(5)),
        )
        for environment, model, door, conversation, text, intent, sure, age in said[::-1]:
            Message.objects.create(
                project=self.project,
                environment=environment,
                model=model,
                door=door,
                conversation=conversation,
                text=text,
                intent=intent,
                confidence=sure,
                actions=[f"utter_{intent}"],
                policies=["RulePolicy"],
                action_confidence=1.0,
                at=self.now - age,
                understood_at=self.now - age,
                read_at=None,
            )
        card = Message.objects.get(conversation="c-90411")
        marked_examples.mark(message=card, intent="report_fraud", by=Actor(self.ana, PAGE))

    def play(self) -> dict[str, str]:
        other = os.environ.get("SCENE_OTHER_BOT_URL", "http://rasa-production:5005")
        production = self.environment("production", "#0e7490", 0, protected=True, replicas=3, url=other)
        bot = os.environ.get("SCENE_BOT_URL", "http://rasa-experimental:5005")
        experimental = self.environment("experimental", "#7c3aed", 1, replicas=2, url=bot)
        worker = self.environment("worker", "#64748b", 2, kind="training", follows=production)
        roles.follow_protection(environment=experimental, by=system(COMMAND))
        self.model("late-ember", days(14), 35, 6, self.mia)
        heron = self.model("calm-heron", days(9), 36, 6, self.mia)
        fox = self.model("brisk-fox", days(3), 37, 7, self.ben)
        schema = self.model("gritty-schema", days(2), 37, 7, self.ana)
        otter = self.model("brisk-otter", timedelta(minutes=10), 39, 6, self.ben)
        tags.put(project=self.project, tag="nightly", model=otter, by=Actor(self.ben, PAGE))
        tags.put(project=self.project, tag="lts", model=heron, by=Actor(self.mia, PAGE))
        self.promotion(production, heron, self.mia, days(9), "first release")
        self.promotion(experimental, fox, self.ben, days(3), "shorter answers", took=(9, 14))
        self.promotion(production, fox, self.mia, days(2) + hours(9), "shorter answers")
        self.rollback(production, self.ana, days(2) + hours(5), "fallbacks doubled in an hour")
        self.promotion(experimental, schema, self.ana, days(2) + hours(1), "holiday intents", took=(9, 14))
        self.promotion(production, schema, self.ana, days(2), "holiday intents")
        self.jobs(otter)
        self.evaluated()
        self.trained(12)
        self.team()
        self.notifications(production)
        self.nightly(production, schema, otter)
        self.conversations(production, schema, experimental, otter)
        guest_links.put(
            project=self.project,
            environment=experimental,
            by=Actor(self.ana, PAGE),
            token=GUEST_TOKEN,
            bot_name="Otto of Otter Bank",
            description="Ask about cards, accounts and branches. This is a trial: nothing here moves money.",
        )
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
