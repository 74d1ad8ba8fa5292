"""Configs that lie in a stored bundle beside its own."""

from collections.abc import Mapping

from environments import bundles, stores
from environments.actions.bundles import limits
from environments.clients.storage import StorageDamaged, StorageMissing
from environments.errors import BundleDamaged
from environments.models import Bundle


def read(bundle: Bundle, paths: Mapping[int, str]) -> dict[int, str]:
    """The text of each config. Raises `BundleInvalid` where the bundle has none there, or none that can be used."""
    try:
        with stores.bundles().open(bundle.hash) as file:
            texts = bundles.read_texts(file, limits(), sorted(set(paths.values())))
    except (StorageMissing, StorageDamaged) as error:
        raise BundleDamaged("The stored bundle is damaged or gone. Send it again, then start again.") from error
    for text in texts.values():
        bundles.parse_config(text)
    return {place: texts[path] for place, path in paths.items()}
