"""Bundles as they are stored: the Rasa project in one, and what differs between two."""

from typing import Any

from environments import bundle_diffs, bundles, stores
from environments.actions.bundles import check_there, limits
from environments.clients.storage import StorageDamaged, StorageMissing
from environments.errors import BundleDamaged
from environments.models import Bundle


def project_of(bundle: Bundle | None) -> bundles.Project:
    """Raises BundleRemoved where retention took its bytes, BundleDamaged where they are gone otherwise, or no longer
    what they were."""
    if bundle is not None:
        check_there(bundle)
    try:
        if bundle is None:
            raise StorageMissing("the job names none")
        with stores.bundles().open(bundle.hash) as file:
            return bundles.read(file, limits())
    except (StorageMissing, StorageDamaged) as error:
        raise BundleDamaged(
            "The stored bundle is damaged or gone. Send it again, then submit the job again."
        ) from error


def diff(a: Bundle, b: Bundle) -> dict[str, Any]:
    """What `b` changes against `a`. Raises BundleRemoved or BundleDamaged."""
    return bundle_diffs.diff(project_of(a), project_of(b))
