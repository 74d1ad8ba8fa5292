"""Leftovers are swept, damage is found and told; what is needed stays."""

import os
from datetime import timedelta

import pytest

from accounts.models import AuditEvent
from environments import stores
from environments.actions import trained_models
from environments.models import Slot, TrainedModel
from tests.archives import rasa_archive, sha256
from workers.tasks.storage import scrub, scrub_if_due, sweep, sweep_if_due


def age(home):
    for path in home.glob("*/**/*"):
        os.utime(path, (0, 0))


def leave_behind(content: bytes) -> None:
    """A file whose row never came: the process was killed between the two."""
    with stores.models().receive() as incoming:
        incoming.write(content)
        incoming.commit(sha256(content))


def test_the_bytes_of_a_deleted_model_go_and_those_of_others_stay(stored_model, by_ana, home):
    otter, heron = stored_model("brisk-otter"), stored_model("calm-heron")
    trained_models.delete(model=otter, by=by_ana)
    age(home)
    assert sweep() == 1
    assert set(stores.models().hashes()) == {heron.hash}


def test_what_a_crash_left_goes_once_it_is_old(stored_model, home):
    model = stored_model()
    leave_behind(rasa_archive("never-registered"))
    (home / "archives" / "incoming" / "half").write_bytes(b"half")
    assert sweep() == 0
    age(home)
    assert sweep() == 2
    assert set(stores.models().hashes()) == {model.hash}
    assert not list((home / "archives" / "incoming").iterdir())


def test_a_model_that_came_back_keeps_its_bytes(stored_model, by_ana, home):
    model = stored_model()
    trained_models.delete(model=model, by=by_ana)
    age(home)
    stored_model()
    assert sweep() == 0


def test_an_empty_database_is_no_reason_to_empty_the_store(db, home):
    leave_behind(rasa_archive())
    age(home)
    assert sweep() == 0
    assert len(list(stores.models().hashes())) == 1


def test_a_sound_store_stays_as_it_is(stored_model):
    model = stored_model()
    assert scrub() == 0
    model.refresh_from_db()
    assert model.damaged_at is None


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"rot"), lambda path: path.unlink()])
def test_damage_is_marked_and_told_once(stored_model, home, spoil, caplog):
    model, sound = stored_model("brisk-otter"), stored_model("calm-heron")
    spoil(home / "archives" / model.hash)
    assert scrub() == 1
    assert "brisk-otter" in caplog.text
    model.refresh_from_db()
    sound.refresh_from_db()
    assert model.damaged_at
    assert sound.damaged_at is None
    event = AuditEvent.objects.first()
    assert (event.action, event.object, event.actor) == ("model.damage", "model:brisk-otter", "job")
    assert scrub() == 0


def test_a_store_that_is_not_mounted_damages_no_model(stored_model, home, caplog):
    model = stored_model()
    (home / "archives" / model.hash).unlink()
    assert scrub() == 0
    assert "mounted" in caplog.text
    assert TrainedModel.objects.get().damaged_at is None


def test_several_beats_sweep_once(stored_model, home):
    stored_model()
    leave_behind(rasa_archive("never-registered"))
    age(home)
    sweep_if_due()
    assert len(list(stores.models().hashes())) == 1
    leave_behind(rasa_archive("another"))
    age(home)
    sweep_if_due()
    assert len(list(stores.models().hashes())) == 2


def test_a_scrub_is_due_once_in_a_night(stored_model, home, django_now):
    otter, heron = stored_model("brisk-otter"), stored_model("calm-heron")
    (home / "archives" / otter.hash).unlink()
    scrub_if_due()
    (home / "archives" / heron.hash).write_bytes(b"rot")
    scrub_if_due()
    assert [bool(model.damaged_at) for model in TrainedModel.objects.order_by("pk")] == [True, False]
    due_at = Slot.objects.get(name="scrub").due_at
    assert (due_at.hour, due_at.minute) == (3, 17)
    assert django_now < due_at <= django_now + timedelta(days=1)
