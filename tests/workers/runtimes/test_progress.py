"""How far Rasa is, read from what Rasa 3.6.21 printed while it trained (tests/data/rasa-train.log)."""

from pathlib import Path

import pytest

from workers.runtimes.lines import Lines
from workers.runtimes.progress import EPOCHS_PER_STEP, TRAINED, Progress, parts_of

PRINTED = (Path(__file__).parents[2] / "data" / "rasa-train.log").read_bytes()
CONFIG = {
    "pipeline": [
        {"name": "WhitespaceTokenizer"},
        {"name": "RegexFeaturizer"},
        {"name": "CountVectorsFeaturizer"},
        {"name": "CountVectorsFeaturizer", "analyzer": "char_wb"},
        {"name": "DIETClassifier", "epochs": 40},
        {"name": "EntitySynonymMapper"},
        {"name": "ResponseSelector", "epochs": 30},
        {"name": "FallbackClassifier"},
    ],
    "policies": [
        {"name": "MemoizationPolicy"},
        {"name": "RulePolicy"},
        {"name": "TEDPolicy", "epochs": 20},
        {"name": "UnexpecTEDIntentPolicy", "epochs": 20},
    ],
}
TRAINING = [
    *("RegexFeaturizer", "CountVectorsFeaturizer", "DIETClassifier", "EntitySynonymMapper", "ResponseSelector"),
    *("MemoizationPolicy", "RulePolicy", "TEDPolicy", "UnexpecTEDIntentPolicy"),
]


def told(progress: Progress, printed: bytes = PRINTED) -> list[tuple[str, float | None]]:
    """Each step with its share, as they change."""
    steps: list[tuple[str, float | None]] = []
    for line in Lines().feed(printed):
        progress.feed(line.text)
        if (progress.step, progress.share) not in steps[-1:]:
            steps.append((progress.step, progress.share))
    return steps


def test_every_component_that_trains_is_a_step_in_its_order():
    phases = [step.removeprefix("training ") for step, _ in told(Progress(parts_of(CONFIG))) if "," not in step]
    assert list(dict.fromkeys(phases)) == ["starting Rasa", *TRAINING, "packing the model"]


def test_epochs_are_told():
    steps = [step for step, _ in told(Progress(parts_of(CONFIG)))]
    assert "training DIETClassifier, epoch 13 of 40" in steps
    assert "training TEDPolicy, epoch 20 of 20" in steps
    assert "training UnexpecTEDIntentPolicy, epoch 1 of 20" in steps


def test_the_share_never_goes_back_and_ends_where_the_model_is_packed():
    shares = [share for _, share in told(Progress(parts_of(CONFIG))) if share is not None]
    assert shares == sorted(shares)
    assert shares[0] < 0.15
    assert shares[-1] == TRAINED
    assert len(set(shares)) > 80


def test_a_component_of_many_epochs_weighs_more():
    progress = Progress(parts_of({"pipeline": ["RegexFeaturizer", {"name": "DIETClassifier", "epochs": 90}]}))
    progress.feed("… Finished training component 'RegexFeaturizer'.")
    progress.feed("Starting to train component 'DIETClassifier'.")
    assert progress.share == pytest.approx(TRAINED / (2 + 90 / EPOCHS_PER_STEP), abs=0.001)


@pytest.mark.parametrize(
    "config", [{}, {"pipeline": None}, {"pipeline": "x"}, {"pipeline": [None, 3, {}, {"name": None}], "policies": {}}]
)
def test_a_config_that_names_nothing_gives_steps_without_a_share(config):
    steps = told(Progress(parts_of(config)), b"Starting to train component 'X'.\nFinished training component 'X'.\n")
    assert steps == [("training X", None)]


def test_policies_that_train_before_the_pipeline_do_not_count_for_it():
    progress = Progress(parts_of({"pipeline": ["WhitespaceTokenizer", "KeywordIntentClassifier"], "policies": ["P"]}))
    shares = []
    for name in ("P", "KeywordIntentClassifier"):
        progress.feed(f"Starting to train component '{name}'.")
        progress.feed(f"Finished training component '{name}'.")
        shares.append(progress.share)
    assert shares == pytest.approx([TRAINED / 3, TRAINED], abs=0.001)


def test_a_module_is_known_by_its_class():
    [part] = parts_of({"pipeline": [{"name": "our.bots.Sentiment", "epochs": "many"}]})
    assert (part.name, part.weight) == ("Sentiment", 1)


def test_a_component_that_the_config_does_not_name_moves_nothing():
    progress = Progress(parts_of(CONFIG))
    progress.feed("Starting to train component 'Unknown'.")
    assert (progress.step, progress.share) == ("training Unknown", None)


def test_a_test_is_as_far_as_its_bar():
    bar = b"\r  0%|          | 0/50 [00:00<?, ?it/s]\r 50%|#####     | 25/50 [00:01<00:01, 20.00it/s]\r"
    assert told(Progress(), bar)[-1] == ("testing, 25 of 50", pytest.approx(TRAINED / 2, abs=0.001))


def test_bars_of_a_training_that_are_no_epochs_are_passed_over():
    progress = Progress(parts_of(CONFIG))
    progress.feed("Processed trackers: 100%|██████████| 2/2 [00:00<00:00, 3996.48it/s, # action=7]")
    assert (progress.step, progress.share) == ("starting Rasa", None)
