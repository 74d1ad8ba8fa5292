"""What a model is tested on: chosen from a bundle, the same way each time. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from environments import bundles, examples
from environments.errors import NoTestData
from environments.examples import Example
from environments.rasa_reports import base
from environments.states import EvaluationMethod

# Rasa tests intents only where there are two to tell apart.
FEWEST_INTENTS = 2


@dataclass(frozen=True)
class TestingData:
    """`examples` of intents, and `stories` as Rasa writes them; either may be empty. `folds` of a cross-validation
    only. `notes` say what the choice means for the figures."""

    __test__ = False

    method: EvaluationMethod
    examples: Sequence[Example]
    stories: Sequence[Any]
    folds: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """What two tests must have in common for their figures to be compared: the examples; of a cross-validation
        their number of folds too; where there are no examples, the stories."""
        if not self.examples:
            return examples.digest([], "stories", bundles.dump({"stories": list(self.stories)}).decode())
        return examples.digest(self.examples, *(("folds", str(self.folds)) if self.folds else ()))


def choose(project: bundles.Project, method: EvaluationMethod | None, folds: int) -> TestingData:
    """The examples and stories of `project` that the method tests on. Raises NoTestData with the cure.

    None: its own test data; where that has no examples of two intents, a part of the others that is held out.
    """
    own = examples.read(project.test_nlu)
    if method == EvaluationMethod.CROSS_VALIDATION:
        return _folded(examples.read(project.training.get("nlu")), folds)
    if method == EvaluationMethod.DATA:
        return _own(project, own)
    if method is None and _intents(own) >= FEWEST_INTENTS:
        return TestingData(EvaluationMethod.DATA, own, project.test_stories)
    return _split(project, asked=method is not None)


def _intents(tested: Sequence[Example]) -> int:
    return len({base(example.intent) for example in tested})


def _own(project: bundles.Project, own: Sequence[Example]) -> TestingData:
    if _intents(own) >= FEWEST_INTENTS:
        return TestingData(EvaluationMethod.DATA, own, project.test_stories)
    if not project.test_stories:
        raise NoTestData(
            "The bundle has no test data: no `nlu` examples of two intents and no `stories` in YAML files under "
            "tests/ or test/. Add some, or test on a part that is held out (method split)."
        )
    note = "There are no test examples of two intents, so that only the stories were tested."
    return TestingData(EvaluationMethod.DATA, (), project.test_stories, notes=(note,))


def _split(project: bundles.Project, *, asked: bool) -> TestingData:
    held = examples.held_out(examples.read(project.training.get("nlu")))
    if _intents(held) < FEWEST_INTENTS:
        if project.test_stories and not asked:
            return _own(project, ())
        raise NoTestData(
            "The bundle has no examples of two intents, at least two each, to hold a part of them out. Add examples, "
            "or test data under tests/."
        )
    note = "Tested on a fifth of each intent's examples, chosen by their digest and so the same for every model."
    return TestingData(EvaluationMethod.SPLIT, held, project.test_stories, notes=(note,))


def _folded(known: Sequence[Example], folds: int) -> TestingData:
    """Cross-validation needs as many examples of an intent as it has folds, of one at least."""
    counts = Counter(example.intent for example in known)
    most = max(counts.values(), default=0)
    if len({base(intent) for intent in counts}) < FEWEST_INTENTS or most < folds:
        raise NoTestData(
            f"{folds} folds need examples of two intents, and at least {folds} of one of them; the bundle has at most "
            f"{most}. Add examples, or ask for fewer folds."
        )
    note = (
        f"Cross-validation in {folds} folds judges the bundle and its configuration by {folds} models that were "
        "trained for it, not this model. Folds are drawn by chance: the same again differs a little."
    )
    return TestingData(EvaluationMethod.CROSS_VALIDATION, known, (), folds, (note,))
