"""Each night the rules are applied once, and the sweep then takes the files."""

import io
import os

from accounts.actor import API, Actor
from accounts.models import AuditEvent
from environments import stores
from environments.models import Bundle, Retention, Slot, TrainedModel
from environments.receiving import receive_bundle
from tests.factories import ProjectFactory, TrainedModelFactory, administrator
from tests.projects import tree, zipped
from workers.tasks.retention import apply_if_due
from workers.tasks.storage import sweep


def age(home):
    for path in home.glob("*/*"):
        os.utime(path, (0, 0))


def test_it_runs_once_a_night_for_each_project_that_wants_it(project):
    banking, shop = ProjectFactory(name="banking"), ProjectFactory(name="shop")
    for owner in (project, banking, shop):
        for letter in "ab":
            TrainedModelFactory(project=owner, name=f"{owner.name}-{letter}")
    for owner in (project, banking):
        Retention.objects.create(project=owner, enabled=True, keep_models=1)
    Retention.objects.create(project=shop, enabled=False, keep_models=1)
    apply_if_due()
    left = set(TrainedModel.objects.present().values_list("name", flat=True))
    assert left == {"default-b", "banking-b", "shop-a", "shop-b"}
    assert set(AuditEvent.objects.filter(action="model.delete").values_list("actor", flat=True)) == {"job"}
    TrainedModelFactory(project=project)
    apply_if_due()
    assert TrainedModel.objects.present().count() == 5
    Slot.objects.filter(name="retention").update(due_at="2026-01-01T00:00:00Z")
    apply_if_due()
    assert TrainedModel.objects.present().count() == 4


def test_the_sweep_takes_the_file_of_a_removed_bundle_and_sent_again_it_is_back(project, bundle, by_ana, home):
    newer = receive_bundle(
        project=project, stream=io.BytesIO(zipped(tree() | {"data/more.yml": "# more\n"})), by=by_ana
    ).bundle
    Retention.objects.create(project=project, enabled=True, keep_bundles=1)
    apply_if_due()
    age(home)
    assert sweep() == 1
    assert list(stores.bundles().hashes()) == [newer.hash]
    receive_bundle(project=project, stream=io.BytesIO(zipped()), by=by_ana)
    assert Bundle.objects.get(pk=bundle.pk).removed_at is None
    assert sweep() == 0
    with stores.bundles().open(bundle.hash) as file:
        assert file.read() == zipped()


def test_bytes_that_another_project_has_stay(project, bundle, by_ana, home):
    banking = ProjectFactory(name="banking")
    receive_bundle(project=banking, stream=io.BytesIO(zipped()), by=Actor(user=administrator("mia"), via=API))
    receive_bundle(project=project, stream=io.BytesIO(zipped(tree() | {"data/more.yml": "# more\n"})), by=by_ana)
    Retention.objects.create(project=project, enabled=True, keep_bundles=1)
    apply_if_due()
    age(home)
    assert sweep() == 0
    assert Bundle.objects.filter(removed_at=None).count() == 2
