"""A model comes in: bytes, row, tags and promotions together, or nothing of it."""

import errno
import io
from pathlib import Path

import pytest

from accounts.actor import JOB, RASA_X, Actor
from accounts.models import AuditEvent
from accounts.problems import MissingGrant, NotFound
from environments import errors, stores
from environments.actions import promotions, trained_models
from environments.actions.jobs import RunLost
from environments.models import Job, Promotion, ServerCheck, Tag, TrainedModel
from environments.receiving import receive_model
from tests.archives import REAL_ARCHIVE, rasa_archive, rasa_zip, sha256
from tests.factories import JobFactory, ProjectFactory, take

OTTER = rasa_archive("brisk-otter")
HERON = rasa_archive("calm-heron")


@pytest.fixture
def receive(project, by_ana):
    def receive(content=OTTER, name="brisk-otter", by=by_ana, **more):
        return receive_model(project=project, name=name, stream=io.BytesIO(content), by=by, **more)

    return receive


def content_of(model: TrainedModel) -> bytes:
    with stores.models().open(model.hash) as file:
        return file.read()


def stored() -> set[str]:
    return set(stores.models().hashes())


def leftovers(home: Path) -> list[Path]:
    return [*home.glob("archives/incoming/*"), *home.glob("spool/*")]


def assert_nothing_was_kept(home):
    assert not TrainedModel.objects.exists()
    assert not Tag.objects.exists()
    assert not Promotion.objects.exists()
    assert not AuditEvent.objects.exists()
    assert not stored()
    assert not leftovers(home)


def test_an_upload_is_stored_byte_for_byte_registered_and_told(receive, home):
    received = receive()
    model = TrainedModel.objects.get()
    assert (received.model, received.created) == (model, True)
    assert (model.name, model.hash, model.size) == ("brisk-otter", sha256(OTTER), len(OTTER))
    assert (model.version, model.language, model.assistant_id) == ("3.6.21", "en", "tests")
    assert model.trained_at.isoformat() == "2026-03-01T12:00:00.250000+00:00"
    assert model.counts["intents"] == 2
    assert model.metadata["domain"]["intents"] == ["greet", "goodbye"]
    assert content_of(model) == OTTER
    assert not leftovers(home)
    event = AuditEvent.objects.get()
    assert (event.actor, event.action, event.object) == ("ana", "model.register", "model:brisk-otter")


def test_an_archive_of_real_rasa_is_accepted(receive):
    model = receive(REAL_ARCHIVE.read_bytes(), name="tiny").model
    assert model.version == "3.6.21"
    assert model.assistant_id == "tiny"
    assert model.counts == {
        "intents": 2,
        "entities": 0,
        "slots": 0,
        "responses": 2,
        "actions": 0,
        "forms": 0,
        "flows": 0,
    }


def test_a_zip_of_an_unpacked_model_is_stored_as_the_archive_rasa_loads(receive, home):
    model = receive(rasa_zip()).model
    assert content_of(model).startswith(b"\x1f\x8b")
    assert not receive(rasa_zip()).created
    assert not leftovers(home)


def test_without_a_name_it_gets_one_like_rasas(receive):
    assert receive(name=None).model.name == f"20260301-120000-{sha256(OTTER)[:8]}"
    again = receive(name=None)
    assert not again.created


def test_the_same_bytes_by_the_same_name_are_the_same_model(receive):
    first = receive()
    again = receive()
    assert (again.model, again.created) == (first.model, False)
    assert AuditEvent.objects.count() == 1


def test_a_name_that_is_taken_is_refused(receive):
    receive()
    with pytest.raises(errors.NameTaken):
        receive(HERON)
    assert stored() == {sha256(OTTER)}


def test_a_name_that_is_taken_gets_a_suffix_where_that_is_asked_for(receive):
    receive()
    model = receive(HERON, on_conflict="suffix").model
    assert model.name == f"brisk-otter-{sha256(HERON)[:8]}"
    again = receive(HERON, on_conflict="suffix")
    assert (again.model, again.created) == (model, False)


def test_a_suffix_cuts_a_long_name_to_fit(receive):
    receive(name="o" * 200)
    model = receive(HERON, name="o" * 200, on_conflict="suffix").model
    assert model.name == "o" * 191 + f"-{sha256(HERON)[:8]}"


def test_the_same_bytes_by_another_name_are_refused_naming_the_one_they_have(receive):
    receive()
    with pytest.raises(errors.BytesTaken) as refused:
        receive(name="other")
    assert refused.value.data["existing"] == "brisk-otter"
    with pytest.raises(errors.BytesTaken):
        receive(name="other", on_conflict="suffix")


def test_two_projects_may_have_the_same_model(receive, by_ana):
    receive()
    banking = ProjectFactory(name="banking")
    other = receive_model(project=banking, name="teller", stream=io.BytesIO(OTTER), by=by_ana.anew())
    assert other.created
    assert stored() == {sha256(OTTER)}


def test_a_name_once_promoted_is_never_given_to_other_bytes(receive, production, experimental, by_ana):
    model = receive().model
    promotions.promote(environment=experimental, model=model, by=by_ana)
    promotions.promote(environment=experimental, model=None, by=by_ana)
    TrainedModel.objects.filter(pk=model.pk).update(deleted_at=model.registered_at)
    with pytest.raises(errors.NameReserved):
        receive(HERON)
    assert receive(HERON, on_conflict="suffix").model.name.startswith("brisk-otter-")


def test_a_deleted_model_comes_back_with_its_row(receive, by_ana):
    model = receive().model
    trained_models.delete(model=model, by=by_ana)
    received = receive()
    assert (received.model, received.created) == (model, True)
    assert received.model.deleted_at is None
    assert AuditEvent.objects.latest("pk").action == "model.restore"


def test_the_name_of_a_deleted_model_that_served_nowhere_is_free(receive, by_ana):
    trained_models.delete(model=receive().model, by=by_ana)
    assert receive(HERON).created


def test_a_damaged_model_is_healed_by_the_same_bytes(receive, home, by_ana):
    model = receive().model
    (home / "archives" / model.hash).write_bytes(b"rot")
    trained_models.mark_damaged(model=model, by=by_ana)
    received = receive()
    assert not received.created
    assert received.model.damaged_at is None
    assert content_of(model) == OTTER
    assert AuditEvent.objects.latest("pk").action == "model.heal"


def test_a_name_that_a_job_reserved_is_the_jobs(receive, project, by_ana):
    job = JobFactory(status="running", model_name="nightly")
    with pytest.raises(errors.NameReserved):
        receive(name="nightly")
    received = receive(name="nightly", job=job)
    assert received.model.job == job


def test_a_job_ends_with_the_model_it_made(receive):
    job = JobFactory(status="running")
    model = receive(job=job).model
    job.refresh_from_db()
    assert (job.status, job.result, job.progress) == ("succeeded", model, 1.0)


def test_what_a_lost_run_of_a_job_made_is_dropped_whole(receive, home, production):
    job = JobFactory(status="running")
    Job.objects.filter(pk=job.pk).update(attempts=job.attempts + 1)
    with pytest.raises(RunLost):
        receive(job=job, tags=["production", "nightly"])
    assert_nothing_was_kept(home)
    job.refresh_from_db()
    assert (job.status, job.result) == ("running", None)


def test_the_result_of_a_training_needs_the_grant_of_the_training(receive, project, ben):
    take(ben, "models.write")
    job = JobFactory(status="running", by=ben)
    assert receive(by=Actor(user=ben, via=JOB), job=job).created
    with pytest.raises(MissingGrant):
        receive(HERON, name="calm-heron", by=Actor(user=ben, via=JOB))


def test_tags_and_promotions_come_with_it(receive, production):
    model = receive(tags=["nightly", "production", "production"]).model
    assert {tag.name: tag.model for tag in Tag.objects.all()} == {"nightly": model, "production": model}
    assert Promotion.objects.get().model == model


class Unread:
    """A stream that must not be touched."""

    def read(self, size):
        raise AssertionError("a byte was read before the request was allowed")


def test_nothing_is_read_before_it_is_allowed(project, production, by_ben, by_cy):
    with pytest.raises(NotFound):
        receive_model(project=project, name="brisk-otter", stream=Unread(), by=by_cy)
    with pytest.raises(errors.InvalidName):
        receive_model(project=project, name="../otter", stream=Unread(), by=by_ben)
    with pytest.raises(MissingGrant, match=r"environments\.production\.write"):
        receive_model(project=project, name="brisk-otter", stream=Unread(), by=by_ben, tags=["production"])
    with pytest.raises(errors.InvalidName):
        receive_model(project=project, name="brisk-otter", stream=Unread(), by=by_ben, tags=["latest"])


def test_a_refused_archive_leaves_nothing(receive, home):
    with pytest.raises(errors.ArchiveTruncated):
        receive(OTTER[:-9])
    assert_nothing_was_kept(home)


def test_a_refused_promotion_keeps_nothing_of_the_upload(receive, production, by_ana, home, django_now):
    ServerCheck.objects.create(
        environment=production, due_at=django_now, version="3.6.21", minimum_compatible_version="3.6.21"
    )
    with pytest.raises(errors.Incompatible):
        receive(rasa_archive(version="3.5.0"), tags=["nightly", "production"])
    assert_nothing_was_kept(home)


def test_an_environment_that_takes_no_old_writes_takes_none_with_an_upload(receive, production, ana, home):
    production.rasa_x_writes = "refuse"
    production.save()
    with pytest.raises(errors.RasaXWritesRefused, match=r"/api/v1/environments/production/promotions/"):
        receive(by=Actor(user=ana, via=RASA_X), tags=["production"])
    assert_nothing_was_kept(home)


class BreaksOff:
    """A client that goes away in the middle."""

    def __init__(self):
        self.pieces = [OTTER[:100], OTTER[100:200]]

    def read(self, size):
        if self.pieces:
            return self.pieces.pop(0)
        raise errors.UploadIncomplete("The connection ended.")


def test_an_upload_that_breaks_off_leaves_nothing(project, by_ana, home):
    with pytest.raises(errors.UploadIncomplete):
        receive_model(project=project, name="brisk-otter", stream=BreaksOff(), by=by_ana)
    assert_nothing_was_kept(home)


class FullDisk(BreaksOff):
    def read(self, size):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told(project, by_ana, home):
    with pytest.raises(errors.StorageFull) as refused:
        receive_model(project=project, name="brisk-otter", stream=FullDisk(), by=by_ana)
    assert refused.value.status == 507
    assert_nothing_was_kept(home)


def test_the_limits_are_the_settings(receive, settings, home):
    settings.MAX_MODEL_BYTES = 100
    with pytest.raises(errors.UploadTooLarge):
        receive()
    assert_nothing_was_kept(home)


def test_a_file_whose_row_never_came_is_stored_anew_and_never_listed(receive, home):
    # As a crash between the file's commit and the row's leaves it.
    with stores.models().receive() as incoming:
        incoming.write(OTTER)
        incoming.commit(sha256(OTTER))
    assert not TrainedModel.objects.exists()
    assert receive().created
