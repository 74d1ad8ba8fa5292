"""A Rasa project to train from: find its parts, validate them, merge them into one document for a server.

Pure: bytes in, values out. Raises `BundleInvalid` with a sentence that names the file and the cure.
"""

from environments.bundles.configs import parse_config
from environments.bundles.loading import Document, dump
from environments.bundles.project import Project
from environments.bundles.reading import extract_project, read, read_texts

__all__ = ["Document", "Project", "dump", "extract_project", "parse_config", "read", "read_texts"]
