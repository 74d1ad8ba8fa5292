"""Whether a model's Rasa version is one that a server takes."""

from packaging.version import InvalidVersion, Version


def is_older(version: str, minimum: str) -> bool:
    """Whether `version` is below `minimum`. What cannot be compared (either is unknown or odd) is not older."""
    try:
        return Version(version) < Version(minimum)
    except InvalidVersion:
        return False
