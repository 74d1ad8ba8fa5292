"""A scene that is full: 200 environments, names as long as they may be, right-to-left and emoji text in all that people
write and bots say. Run like `tests.browser.scene`, of which it makes use; no server polls here.
"""

import json
import os
import sys
from datetime import timedelta

import django

django.setup()

from django.core.management import call_command  # noqa: E402 (Django must be set up before its models are imported)

from accounts.actor import COMMAND, PAGE, Actor, system  # noqa: E402
from environments.actions import roles, tags  # noqa: E402
from environments.models import Bundle, Environment, Job, Message, TrainedModel, Webhook  # noqa: E402
from tests.browser.scene import BUNDLE, Scene, days, hours  # noqa: E402

ENVIRONMENTS, MODELS, PROMOTED = 200, 14, 30
LONGEST_LABEL, LONGEST_MODEL, LONGEST_USER, LONGEST_TEXT = 63, 200, 150, 300

HEBREW = "שלום עולם, זה הסבר ארוך מאוד שנכתב מימין לשמאל "
ARABIC = "مرحبا بالعالم هذا نص طويل جدا يكتب من اليمين إلى اليسار "
EMOJI = "👩‍👩‍👧‍👦🏳️‍🌈🦦🇨🇿👍🏽"
UNBROKEN = "donaudampfschifffahrtsgesellschaftskapitaenswitwe"
TEXTS = (HEBREW, ARABIC, EMOJI, UNBROKEN)


def filled(text: str, length: int) -> str:
    """`text` again and again, exactly `length` long."""
    return (text * (length // len(text) + 1))[:length]


def environment_name(number: int) -> str:
    """Every tenth is as long as a name may be, without a place to break it."""
    start = f"site-{number:03}"
    return filled(f"{start}x", LONGEST_LABEL) if number % 10 == 0 else start


def model_name(number: int) -> str:
    """Every second one is as long as a name may be."""
    start = f"model{number}"
    return start + filled("assistantofthewholebank", LONGEST_MODEL - len(start)) if number % 2 else start


class FullScene(Scene):
    def play(self) -> dict[str, str]:
        bot = os.environ.get("SCENE_BOT_URL", "http://rasa-experimental:5005")
        by = system(COMMAND)
        author = self.person(filled("averylongname.", LONGEST_USER), "admin")
        Environment.objects.bulk_create(
            Environment(
                project=self.project,
                name=environment_name(number),
                color=f"#{(number * 53) % 256:02x}{(number * 97) % 256:02x}{(number * 151) % 256:02x}",
                order=number,
                protected=number % 7 == 0,
                replicas=1 + number % 3,
                pull_interval=2,
                url=bot,
            )
            for number in range(ENVIRONMENTS)
        )
        placed = list(Environment.objects.order_by("order"))
        made = [self.model(model_name(n), days(MODELS - n), 20 + n, 6, author) for n in range(MODELS)]
        for number, environment in enumerate(placed[:PROMOTED]):
            reason = filled(TEXTS[number % len(TEXTS)], LONGEST_TEXT)
            for step in (0, 1):
                self.promotion(environment, made[(number + step) % MODELS], author, days(3 - step), reason)
        tagging = Actor(author, PAGE)
        for number in range(8):
            tags.put(project=self.project, tag=filled(f"tag{number}", LONGEST_LABEL), model=made[-1], by=tagging)
        roles.create(
            project=self.project,
            name=filled("longrole", LONGEST_LABEL),
            description=filled(ARABIC + EMOJI, 500),
            grants=[f"environments.{environment.name}.write" for environment in placed],
            by=by,
        )
        self.said(placed[0], made[1])
        self.trainings()
        self.hooks()
        return {}

    def said(self, environment: Environment, model: TrainedModel) -> None:
        for number, text in enumerate(TEXTS):
            Message.objects.create(
                project=self.project,
                environment=environment,
                model=model,
                door="end_user",
                conversation=filled(f"{number}{text}", LONGEST_TEXT),
                text=filled(text, LONGEST_TEXT),
                intent=filled(text, LONGEST_LABEL),
                confidence=0.5,
                actions=[filled(f"action_{text}", LONGEST_LABEL)],
                policies=["RulePolicy"],
                at=self.now - hours(number),
                understood_at=self.now,
                read_at=None,
            )

    def trainings(self) -> None:
        common = {"project": self.project, "by": self.ben, "by_name": "ben"}
        bundle = Bundle.objects.create(**common, hash="0" * 64, size=48_000, counts=BUNDLE)
        for number, text in enumerate(TEXTS):
            Job.objects.create(
                **common,
                kind="training",
                bundle=bundle,
                status="failed",
                model_name=model_name(2 * number + 1),
                error_detail=filled(text, LONGEST_TEXT),
                finished_at=self.now - timedelta(minutes=number),
            )

    def hooks(self) -> None:
        Webhook.objects.create(
            project=self.project,
            by=self.ana,
            by_name="ana",
            name=filled(HEBREW, LONGEST_LABEL),
            kind="slack",
            target="https://hooks.example.com/services/x",
            shown_target="hooks.example.com/…",
            environments=[environment_name(number) for number in range(ENVIRONMENTS)],
        )


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    sys.stdout.write(json.dumps(FullScene().play()))
