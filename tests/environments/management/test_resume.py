"""`manage.py resume`: what waits, and the decision for one environment or all."""

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from environments.actions import freezes, promotions
from environments.models import Environment, Listening
from tests.environments.pages.test_freezes import has
from tests.factories import administrator


@pytest.fixture
def run(capsys):
    def run(*arguments):
        call_command("resume", *arguments)
        return capsys.readouterr().out

    return run


@pytest.fixture
def frozen(production, experimental, otter, by_ana):
    """The backup says that production serves brisk-otter, and experimental nothing."""
    administrator("admin")
    promotions.promote(environment=production, model=otter, by=by_ana)
    now = timezone.now()
    Listening.objects.create(since=now, until=now)
    freezes.freeze_all(as_of=now, now=now)
    return Environment.objects.get(pk=production.pk)


def waiting():
    return [str(environment) for environment in Environment.objects.frozen().order_by("name")]


def test_without_a_choice_it_tells_what_waits(run, frozen, heron):
    has(frozen, "rasa-1", heron.hash)
    has(frozen, "rasa-2", "d" * 64)
    has(frozen, "rasa-3", "1" * 32)
    out = run()
    assert "production: the backup says brisk-otter" in out
    assert "rasa-1: has calm-heron\n" in out
    assert f"rasa-2: has the archive {'d' * 64}, which the backup does not know: upload it again" in out
    assert "rasa-3: has no model" in out
    assert "experimental: the backup says no model" in out
    assert waiting() == ["experimental", "production"]


def test_all_go_on_with_what_the_backup_says(run, frozen):
    out = run("--backup", "--reason", "nothing happened since")
    assert "production goes on with brisk-otter" in out
    assert waiting() == []
    assert run() == "No environment is frozen.\n"


def test_one_goes_on_with_what_its_servers_have(run, frozen, heron):
    has(frozen, "rasa-1", heron.hash)
    assert "production goes on with calm-heron" in run("production", "--servers")
    assert promotions.latest(frozen).model == heron
    assert waiting() == ["experimental"]


def test_where_servers_differ_somebody_must_name_it(run, frozen, heron, otter):
    has(frozen, "rasa-1", heron.hash)
    has(frozen, "rasa-2", otter.hash)
    with pytest.raises(CommandError, match="do not all have one model"):
        run("--servers")
    assert waiting() == ["experimental", "production"]
    assert "production goes on with calm-heron" in run("production", "--model", "calm-heron")


def test_no_model_is_a_choice(run, frozen):
    assert "production goes on with no model" in run("production", "--model", "-")
    assert promotions.current_model(frozen) is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere", "--backup"), "nowhere of default is not frozen, or there is none"),
        (("production", "--model", "nobody"), "There is no model nobody"),
        (("production", "--backup", "--by", "nobody"), "There is no active user nobody"),
        (("production", "--backup", "--by", "ben"), r"environments\.production\.write"),
    ],
)
def test_refusals_change_nothing(run, frozen, ben, arguments, sentence):
    with pytest.raises(CommandError, match=sentence):
        run(*arguments)
    assert "production" in waiting()
