"""A project's config.yml, or one given in its place."""

from typing import Any

from environments.bundles import config_checks
from environments.bundles.findings import Findings
from environments.bundles.loading import Document, mapping
from environments.bundles.merging import DOMAIN_KEYS

# The importer that Rasa uses by itself.
OWN_IMPORTERS: tuple[list[Any], ...] = ([], ["RasaFileImporter"], [{"name": "RasaFileImporter"}])


def parse_config(text: str) -> Document:
    """A `config.yml` given by itself. Raises BundleInvalid."""
    findings = Findings()
    config = read_config("config", text.encode(), findings)
    findings.check()
    return config


def read_config(path: str, content: bytes, findings: Findings) -> Document:
    source = mapping(path, content)
    config = source.document
    importers = config.get("importers") or []
    if importers not in OWN_IMPORTERS or config.get("imports"):
        findings.refuse(
            source,
            ("importers" if importers else "imports",),
            "importers and imports cannot be used, as the server gets one document. Put all training data under data/ "
            "and remove the keys.",
        )
    config_checks.check(source, findings)
    return {key: value for key, value in config.items() if key not in DOMAIN_KEYS | {"importers", "imports"}}
