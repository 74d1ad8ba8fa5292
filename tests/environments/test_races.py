"""Two people, or fifty, who act at the same moment: one tag, one model, one unbroken chain of history."""

import json
import os
import subprocess
import sys
import uuid

import psycopg
import pytest

from tests import services
from tests.repeats import times

PEOPLE = 50
ROUNDS = times(5, nightly=50)
# How each race may end, whoever comes first.
ENDS = {
    "retire_against_promote": {"promoted + synced", "environment-retired + synced"},
    "follow_against_promote": {"promoted + synced", "environment-follows + synced"},
    "adopt_against_promote": {"promoted + synced"},
    "rollback_against_promote": {"promoted + rolled back"},
    "delete_against_promote": {"model-in-use + promoted", "deleted + model-gone"},
    "free_tag_against_define": {"tag-conflict + tagged", "defined + promoted"},
    "define_against_define": {"defined + environment-exists"},
    "upload_with_tag_against_delete": {"deleted + uploaded", "deleted + model-gone"},
}


@pytest.fixture
def sqlite(tmp_path):
    return f"sqlite:///{tmp_path / 'race.sqlite3'}"


@pytest.fixture
def postgresql():
    name = f"race_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(services.POSTGRESQL_URL, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield services.POSTGRESQL_URL.rpartition("/")[0] + f"/{name}"
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def race(request, tmp_path):
    """Run a module in a process and on a database of its own; what it found."""

    def race(module: str, count: int = PEOPLE) -> dict[str, object]:
        settings = {
            "DJANGO_SETTINGS_MODULE": "controlplane.settings",
            "DATABASE_URL": request.getfixturevalue(request.param),
            "CONTROLPLANE_HOME": str(tmp_path),
        }
        command = [sys.executable, "-m", f"tests.environments.{module}", str(count)]
        done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return race


def test_promotions_at_the_same_moment_leave_one_unbroken_chain(race):
    assert race("race") == {
        "careless": {"promoted": PEOPLE},
        "careful": {"promoted": 1, "told who": PEOPLE - 1},
        "tags": 1,
        "chain_is_whole": True,
        "rolling_out": 1,
        "audited": True,
    }


def test_environments_that_exchange_their_models_do_not_wait_for_each_other(race):
    assert race("swap_race", ROUNDS) == {"promoted": 2 * ROUNDS}


def test_uploads_and_deletions_at_the_same_moment_agree_on_what_is_there(race):
    assert race("upload_race") == {
        "same bytes": {"created": 1, "was there": PEOPLE - 1},
        "other bytes": {"created": 1, "name-taken": PEOPLE - 1},
        "names": ["heron", "otter"],
        "tagged or gone": True,
        "one of the two refused": True,
        "swept clean": True,
        "sound": True,
    }


def test_administrators_who_end_each_other_leave_one_and_wrong_passwords_at_once_all_count(race):
    assert race("access_race", ROUNDS) == {
        "resets": True,
        "at least one": True,
        "one is left": True,
        "wrong passwords": {"counted": 8, "locked by": 8, "told": 1},
    }


def test_senders_at_the_same_moment_send_each_letter_once(race):
    assert race("delivery_race", 4) == {
        "ended": {"ended": 4},
        "sent": 100,
        "sent twice": 0,
        "delivered": 100,
        "looked": True,
        # One message for each of the five webhooks.
        "told": {"replica.silent": 5, "recovered": 5},
    }


def test_what_somebody_needs_at_the_moment_in_which_retention_takes_it_stays_or_is_refused(race):
    found = race("retention_race", ROUNDS)
    assert found["faults"] == []
    ends = {end.partition(" + ")[0].split()[0] for ended in found["ended"].values() for end in ended}
    assert ends <= {"took", "both", "promoted", "tagged", "model-gone", "submitted", "bundle-removed", "sent"}, ends


def test_a_pipeline_that_many_start_and_move_on_at_once_does_each_thing_once(race):
    many = 8
    found = race("pipeline_race", many)
    assert found == {
        "started": {"started": many},
        "one waits": True,
        "moved": {"moved on": many},
        "trainings": 1,
        "evaluations": 1,
        "promotions": 1,
        "ended": "succeeded",
        "due": {"nothing to start": many - 1, "started": 1},
        "scheduled": 1,
    }


@pytest.mark.nightly
def test_whatever_happens_to_an_environment_while_somebody_promotes_its_history_is_whole(race):
    found = race("environment_race", ROUNDS)
    assert found["faults"] == []
    assert {kind: set(ends) - ENDS[kind] for kind, ends in found["ended"].items()} == {kind: set() for kind in ENDS}


ENDS_OF_DEMOTIONS = {
    "promote_against_demote": {"demoted + promoted", "demoted + not-found"},
    "demote_against_one_more_role": {"given + taken"},
}


@pytest.mark.nightly
def test_whatever_happens_while_somebody_is_demoted_they_are(race):
    found = race("demotion_race", ROUNDS)
    assert found["faults"] == []
    assert {kind: set(ends) - ENDS_OF_DEMOTIONS[kind] for kind, ends in found["ended"].items()} == {
        kind: set() for kind in ENDS_OF_DEMOTIONS
    }
