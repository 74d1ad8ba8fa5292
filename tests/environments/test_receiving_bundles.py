"""A bundle comes in: read, stored under its hash, or nothing of it kept."""

import hashlib
import io

import pytest

from accounts.models import AuditEvent, Project
from accounts.problems import InvalidFields, MissingGrant, NotFound
from environments import errors, stores
from environments.actions.bundles import Source
from environments.models import Bundle
from environments.receiving import receive_bundle
from tests.factories import take
from tests.projects import tarred, tree, zipped


def receive(by, data: bytes | None = None, **more):
    stream = io.BytesIO(zipped() if data is None else data)
    return receive_bundle(project=Project.objects.get(), stream=stream, by=by, **more)


def test_a_bundle_is_stored_under_its_hash_and_audited(by_ben):
    data = zipped()
    received = receive(by_ben, data, source=Source(commit="3f2a1c9"))
    bundle = received.bundle
    assert received.created
    assert bundle.hash == hashlib.sha256(data).hexdigest()
    assert (bundle.size, bundle.by_name, bundle.commit) == (len(data), "ben", "3f2a1c9")
    assert bundle.files == ["config.yml", "data/nlu.yml", "data/rules.yml", "domain.yml"]
    assert bundle.counts["examples"] == 3
    with stores.bundles().open(bundle.hash) as stored:
        assert stored.read() == data
    assert AuditEvent.objects.get().action == "bundle.create"


def test_the_same_bytes_again_are_the_same_bundle(by_ana, by_ben):
    first = receive(by_ana)
    again = receive(by_ben)
    assert (again.bundle, again.created) == (first.bundle, False)
    assert AuditEvent.objects.count() == 1


def test_the_same_bytes_again_heal_a_file_that_was_lost(by_ana):
    bundle = receive(by_ana).bundle
    stores.bundles().delete(bundle.hash)
    receive(by_ana)
    stores.bundles().open(bundle.hash).close()


def test_a_tar_is_as_good(by_ben):
    assert receive(by_ben, tarred()).created


@pytest.mark.parametrize("data", [b"no archive", zipped(tree(config=None))])
def test_a_refused_bundle_leaves_nothing(by_ben, data, home):
    with pytest.raises(errors.BundleInvalid):
        receive(by_ben, data)
    assert not Bundle.objects.exists()
    assert not [path for path in home.rglob("*") if path.is_file()]


def test_a_bundle_that_is_too_large_is_refused(by_ben, settings):
    settings.MAX_BUNDLE_BYTES = 100
    with pytest.raises(errors.UploadTooLarge, match="at most 100 bytes"):
        receive(by_ben)


def test_who_may_not_train_sends_no_bundle(by_ben, ben, by_cy):
    with pytest.raises(NotFound):
        receive(by_cy)
    take(ben, "training.write")
    with pytest.raises(MissingGrant, match=r"training\.write"):
        receive(by_ben)


def test_a_commit_is_named_as_git_does(by_ben):
    with pytest.raises(InvalidFields) as refused:
        receive(by_ben, source=Source(commit="a b"))
    assert "commit" in refused.value.errors
