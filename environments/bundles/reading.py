"""A project out of its archive, validated as a server would miss it."""

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from environments.bundles import domain_checks, finding, nlu_checks, story_checks
from environments.bundles.configs import read_config
from environments.bundles.finding import Found
from environments.bundles.findings import Findings
from environments.bundles.known import Known, known
from environments.bundles.loading import Document, Source, load, mapping
from environments.bundles.merging import TRAINING_KEYS, add_domain, add_training, merged
from environments.bundles.project import Items, Project
from environments.errors import BundleInvalid
from environments.packing import Files, Limits, extract, unpack
from environments.yaml_file import suggestion


def read(file: BinaryIO, limits: Limits) -> Project:
    """The project in a zip or tar.gz: domain, config, something to train from. Raises BundleInvalid, with all that is
    wrong in all files."""
    files = finding.at_root(unpack(file, limits))
    findings = Findings()
    config: Document = {}
    with findings.collected():
        config = read_config(*finding.config(files), findings)
    domains, training = _sources(finding.domain(files), findings), _training_sources(files, findings)
    project = _project(files, config, domains, training, findings)
    findings.check()
    return project


def read_texts(file: BinaryIO, limits: Limits, paths: Iterable[str]) -> dict[str, str]:
    """YAML files of a project by their paths, as they are written. Raises BundleInvalid where one is not there."""
    files = finding.at_root(unpack(file, limits))
    texts = {}
    for path in paths:
        content = files.get(path)
        if content is None:
            known = sorted(name for name in files if name.endswith((".yml", ".yaml")))
            raise BundleInvalid(f"The bundle has no {path}. {suggestion(path, known)}")
        mapping(path, content)
        texts[path] = content.decode("utf-8-sig")
    return texts


def extract_project(file: BinaryIO, folder: Path, limits: Limits) -> Path:
    """Write the files of the archive into the empty `folder`, junk left out; the project's root among them."""
    return folder / finding.root_of(extract(file, folder, limits))


def _sources(found: list[Found], findings: Findings) -> list[Source]:
    """The files that can be read at all."""
    sources = []
    for path, content in found:
        with findings.collected():
            sources.append(mapping(path, content))
    return sources


def _training_sources(files: Files, findings: Findings) -> list[Source]:
    found = finding.training(files)
    if finding.has_data_folder(files):
        return _sources(found, findings)
    sources = []
    for path, content in found:
        with findings.collected():
            source = load(path, content)
            if isinstance(source.document, dict) and set(TRAINING_KEYS) & set(source.document):
                sources.append(source)
    return sources


def _project(
    files: Files, config: Document, domains: list[Source], training: list[Source], findings: Findings
) -> Project:
    domain: Document = {}
    for source in domains:
        domain_checks.check(source, findings)
        add_domain(domain, source, findings)
    trained: Document = {}
    for source in training:
        _check_training(source, findings)
        add_training(trained, source, findings)
    if not findings.errors and not any(trained.get(key) for key in TRAINING_KEYS):
        raise BundleInvalid(
            "There is nothing to train from: no nlu, stories, rules or flows in the YAML files under data/. Add some."
        )
    # Where a part of the domain is broken, names would be missed that are in it.
    broken = {error.partition(":")[0] for error in findings.errors}
    if not broken & {path for path, _ in finding.domain(files)}:
        _check_names(domains, training, known(config, domain, trained), findings)
    for source in training:
        if isinstance(source.document.get("responses"), dict):
            merged("responses", domain.get("responses") or {}, source, findings)
    stories, nlu = _tests(files, training, findings)
    return Project(tuple(sorted(files)), config, domain, trained, stories, nlu, findings.warnings)


def _check_training(source: Source, findings: Findings) -> None:
    nlu_checks.check(source, findings)
    domain_checks.check_responses(source, findings)
    if not finding.is_test(source.path):
        story_checks.check(source, findings)


def _check_names(domains: list[Source], training: list[Source], known: Known, findings: Findings) -> None:
    for source in domains if known.strict else []:
        domain_checks.check_slots(source, findings)
    for source in training:
        nlu_checks.warn_of_unknown(source, known, findings)
        if not finding.is_test(source.path):
            story_checks.check_names(source, known, findings)


def _tests(files: Files, training: list[Source], findings: Findings) -> tuple[Items, Items]:
    """Test stories and test NLU data. What keeps a file from being a test is no reason not to train."""
    stories: Items = []
    nlu: Items = []
    trained = {source.path: source for source in training}
    for path, content in finding.tests(files):
        try:
            source = trained.get(path) or mapping(path, content)
        except BundleInvalid as refusal:
            findings.note(refusal.detail)
            continue
        stories += _list(source.document.get("stories"))
        if path not in trained:
            nlu += _list(source.document.get("nlu"))
    return stories, nlu


def _list(items: object) -> Items:
    return items if isinstance(items, list) else []
