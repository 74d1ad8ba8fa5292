"""Promote and roll back on the command line: the same action, one line when refused, an exit status for scripts."""

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from environments.actions import promotions
from environments.models import Promotion, ServerCheck
from environments.states import PromotionStatus
from tests.factories import TrainedModelFactory, administrator


@pytest.fixture
def admin(project):
    return administrator("admin")


@pytest.fixture
def run(admin, capsys):
    """Runs a command and gives its output."""

    def run(*arguments):
        call_command(*arguments)
        return capsys.readouterr().out

    return run


def served(environment):
    model = promotions.current_model(environment)
    return model.name if model else None


def test_promoting_tells_what_it_did_and_is_the_administrators(run, production, otter):
    out = run("promote", "brisk-otter", "production", "--reason", "first release")
    made = Promotion.objects.get()
    assert f"production: no model → brisk-otter (promotion {made.pk})" in out
    assert "No server of the environment was ever reached" in out
    assert (made.by_name, made.origin, made.reason) == ("admin", "command", "first release")


def test_a_minus_leaves_it_without_a_model(run, production, otter):
    run("promote", "brisk-otter", "production")
    assert "brisk-otter → no model" in run("promote", "-", "production", "--wait")
    assert served(production) is None


def test_it_is_held_to_the_permissions_of_who_acts(run, ben, production, otter):
    with pytest.raises(CommandError, match=r"environments\.production\.write") as refused:
        run("promote", "brisk-otter", "production", "--by", "ben")
    assert refused.value.returncode == 1
    assert "\n" not in str(refused.value)
    assert served(production) is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("promote", "nobody", "production"), "There is no model nobody."),
        (("promote", "brisk-otter", "nowhere"), "There is no environment nowhere."),
        (("promote", "brisk-otter", "production", "--project", "none"), "There is no project none."),
        (("promote", "brisk-otter", "production", "--by", "nobody"), "There is no active user nobody"),
        (("promote", "brisk-otter", "production", "--by", "cy"), "There is no project default."),
        (("promote", "brisk-otter", "production", "--expected", "calm-heron"), "production now has no model"),
        (("rollback", "production"), "served no model before"),
        (("rollback", "production", "--to", "7777"), "production has no promotion 7777."),
        (("rollback", "production", "--by", "cy"), "There is no environment production."),
        (("rollback", "production", "--dry-run"), "served no model before"),
    ],
)
def test_a_refusal_is_one_line(run, cy, production, otter, arguments, sentence):
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not Promotion.objects.exists()


def test_expected_may_be_no_model(run, production, otter, heron):
    run("promote", "brisk-otter", "production", "--expected", "-")
    with pytest.raises(CommandError, match="production now has brisk-otter, promoted by admin"):
        run("promote", "calm-heron", "production", "--expected", "-")


def test_a_dry_run_tells_the_differences_and_changes_nothing(run, production):
    TrainedModelFactory(
        name="old", metadata={"domain": {"intents": ["greet", "bye"], "slots": {"a": {"type": "text"}}}}
    )
    new = {"domain": {"intents": ["greet", "ask"], "slots": {"a": {"type": "bool"}}}}
    TrainedModelFactory(name="new", metadata=new)
    run("promote", "old", "production")
    out = run("promote", "new", "production", "--dry-run")
    assert out.splitlines() == ["would: production: old → new", "  intents: +ask -bye", "  slots: ~a"]
    assert served(production) == "old"


def test_a_dry_run_of_what_would_be_refused_fails(run, production, otter):
    old = TrainedModelFactory(name="old", version="3.5.0")
    ServerCheck.objects.create(
        environment=production, due_at=timezone.now(), version="3.6.21", minimum_compatible_version="3.6.21"
    )
    with pytest.raises(CommandError, match=r"Rasa 3\.5\.0"):
        run("promote", old.name, "production", "--dry-run")
    assert "would" in run("promote", old.name, "production", "--dry-run", "--force")


def test_rolling_back_goes_back_one_or_to_what_is_named(run, production, otter, heron):
    third = TrainedModelFactory(name="third")
    for model in (otter, heron, third):
        run("promote", model.name, "production")
    first = Promotion.objects.order_by("pk").first()
    assert "would: production: third → calm-heron" in run("rollback", "production", "--dry-run")
    run("rollback", "production", "--reason", "worse")
    assert served(production) == "calm-heron"
    run("rollback", "production", "--to", str(first.pk))
    assert served(production) == "brisk-otter"


def test_waiting_too_short_says_that_it_rolls_out(run, production, otter):
    with pytest.raises(CommandError, match="still rolling out") as unfinished:
        run("promote", "brisk-otter", "production", "--wait", "0.3")
    assert unfinished.value.returncode == 4
    assert served(production) == "brisk-otter"


@pytest.mark.parametrize("status", [PromotionStatus.FAILED, PromotionStatus.UNPROVEN])
def test_waiting_for_one_that_does_not_succeed_fails_with_the_reason(run, production, otter, status):
    run("promote", "brisk-otter", "production")
    promotions.settle(
        promotion=Promotion.objects.get(), status=status, at=timezone.now(), error_detail="rasa-1 is stuck."
    )
    with pytest.raises(CommandError, match=f"{status}: rasa-1 is stuck.") as failed:
        run("promote", "brisk-otter", "production", "--wait")
    assert failed.value.returncode == 3


def test_waiting_for_one_that_succeeded_says_how_long_it_took(run, production, otter):
    run("promote", "brisk-otter", "production")
    promotions.settle(promotion=Promotion.objects.get(), status=PromotionStatus.SUCCEEDED, at=timezone.now())
    out = run("promote", "brisk-otter", "production", "--wait")
    assert "production has brisk-otter already" in out
    assert "succeeded" in out
