"""Leftovers are swept, damage is found and told; what is needed stays."""

import os

import pytest

from accounts.models import AuditEvent
from environments import stores
from environments.actions import trained_models
from environments.models import TrainedModel
from tests.archives import rasa_archive, sha256
from workers.tasks.storage import scrub, sweep


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
