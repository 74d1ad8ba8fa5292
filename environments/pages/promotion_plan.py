"""What a promotion would change and risk, for the dialog that asks: what differs inside, how both models were tested,
what is known of the servers, how long it takes as a rule."""

from dataclasses import dataclass
from statistics import median
from typing import Any

from accounts.actor import Actor
from accounts.problems import Problem
from environments import diffs, errors
from environments.actions import evaluations
from environments.comparisons import Comparison
from environments.models import Environment, Evaluation, Promotion, Proof, ServerCheck, TrainedModel
from environments.states import PromotionStatus

SINGULAR = {kind: kind.removesuffix("s") for kind in diffs.KINDS} | {"entities": "entity"}
# Of the intents whose F1 changes, so many are shown; of the utterances that become wrong; of the last promotions.
INTENTS, UTTERANCES, LAST = 3, 12, 5


@dataclass(frozen=True)
class Check:
    """One line under "Checks": `tone` is good, busy or bad."""

    icon: str
    tone: str
    text: str


@dataclass(frozen=True)
class Difference:
    """What differs of one kind: `kind` in the plural, names added, removed and changed."""

    kind: str
    added: list[str]
    removed: list[str]
    changed: list[str]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    @property
    def count(self) -> int:
        return len(self.added) + len(self.removed) + len(self.changed)

    @property
    def words(self) -> list[tuple[str, str]]:
        """Tone and text: `("good", "+ 2 intents")`."""
        signs = (("good", "+", self.added), ("bad", "−", self.removed), ("", "~", self.changed))  # noqa: RUF001
        return [
            (tone, f"{sign} {len(names)} {SINGULAR[self.kind] if len(names) == 1 else self.kind}")
            for tone, sign, names in signs
            if names
        ]


def differences(now: TrainedModel | None, then: TrainedModel) -> dict[str, Any]:
    """What `then` declares otherwise than `now`: lines by kind, and whether pipeline and policies are the same."""
    found = diffs.diff(now.metadata if now else {}, then.metadata)
    kinds = [Difference(kind, **found[kind]) for kind in diffs.KINDS]
    return {
        "kinds": [kind for kind in kinds if kind],
        "pipeline": found["pipeline"]["a"] != found["pipeline"]["b"],
        "policies": found["policies"]["a"] != found["policies"]["b"],
        "components": {side: [component["name"] for component in found["pipeline"][side]] for side in "ab"},
        "policy_names": {side: [component["name"] for component in found["policies"][side]] for side in "ab"},
    }


def checks(environment: Environment, model: TrainedModel, refused: Problem | None) -> list[Check]:
    """What is known of whether the environment's servers can load the model."""
    server = ServerCheck.objects.filter(environment=environment).first()
    if Proof.objects.filter(environment=environment, model=model).exists():
        known = Check("circle-check", "good", f"Was proved in {environment.name} before")
    elif server is None or not server.version:
        known = Check("circle-alert", "busy", "No server of this environment was ever reached: its version is unknown")
    elif isinstance(refused, errors.Incompatible):
        known = Check("triangle-alert", "bad", refused.detail)
    else:
        known = Check("circle-check", "good", f"Rasa {server.version} can load it (trained with {model.version})")
    others = Check("triangle-alert", "bad", refused.detail) if refused else None
    return [known] if others is None or isinstance(refused, errors.Incompatible) else [known, others]


@dataclass(frozen=True)
class Tested:
    """F1 of both where they were evaluated, and what differs where that was by the same examples. `why` says what
    there is to do for a comparison."""

    f1_now: float | None
    f1_then: float | None
    a: Evaluation | None = None
    b: Evaluation | None = None
    found: Comparison | None = None
    why: str = ""

    @property
    def intents(self) -> list[Any]:
        """The worst changes first, without those that stay as they are."""
        changed = [line for line in self.found.per_intent if round(line.delta, 3)] if self.found else []
        return changed[:INTENTS]

    @property
    def broken(self) -> list[Any]:
        return self.found.broken[:UTTERANCES] if self.found else []


def tested(actor: Actor, now: TrainedModel | None, then: TrainedModel | None) -> Tested | None:
    """How the two models understand; None for who may not see evaluations, and where there is nothing to promote."""
    if then is None or not actor.may(then.project, "evaluations.read"):
        return None
    f1 = evaluations.latest_f1([model for model in (now, then) if model])
    known = f1.get(now.pk) if now else None, f1.get(then.pk)
    if now is None or now == then:
        return Tested(*known)
    try:
        a, b = evaluations.pair(now, then)
        return Tested(*known, a, b, evaluations.compare(a, b))
    except Problem as problem:
        return Tested(*known, why=problem.detail)


def usual_seconds(environment: Environment) -> float | None:
    """How long the last promotions took until every replica served; None where there were none."""
    succeeded = Promotion.objects.filter(environment=environment, status=PromotionStatus.SUCCEEDED, model__isnull=False)
    times = succeeded.order_by("-pk").values_list("created_at", "finished_at")[:LAST]
    seconds = [(finished - created).total_seconds() for created, finished in times if finished]
    return median(seconds) if seconds else None
