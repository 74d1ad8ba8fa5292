"""Synthetic archives, shaped like those that `rasa train` writes: gzip, PAX, a root member with an empty name."""

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

# Trained by Rasa Open Source 3.6.21, as it left `rasa train`.
REAL_ARCHIVE = Path(__file__).parent / "data" / "rasa-3.6.21.tar.gz"

TRAINED_AT = "2026-03-01T12:00:00.250000"


def rasa_metadata(
    name: str = "brisk-otter",
    *,
    version: str = "3.6.21",
    trained_at: str = TRAINED_AT,
    intents: Iterable[str] = ("greet", "goodbye"),
    domain: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A `metadata.json`; `name` only makes its `model_id`, and so its bytes, another one."""
    responses = {f"utter_{intent}": [{"text": f"{intent} from {name}"}] for intent in intents}
    return {
        "domain": {
            "version": "3.1",
            "intents": list(intents),
            "responses": responses,
            "session_config": {"session_expiration_time": 60, "carry_over_slots_to_new_session": True},
            **(domain or {}),
        },
        "trained_at": trained_at,
        "model_id": hashlib.sha256(name.encode()).hexdigest()[:32],
        "assistant_id": "tests",
        "rasa_open_source_version": version,
        "train_schema": {"nodes": {}},
        "predict_schema": {"nodes": {}},
        "training_type": 3,
        "project_fingerprint": None,
        "core_target": "select_prediction",
        "nlu_target": "run_RegexMessageHandler",
        "language": "en",
        "spaces": None,
        **more,
    }


def folder(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = tarfile.DIRTYPE
    member.mode = 0o755
    return member


def file(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def tar_of(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """An uncompressed tar of `members`, each with the bytes it holds."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def archive_of(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz with the root member of an empty name and `files`, and nothing said about their sense."""
    members = [(folder(""), b""), *((file(name, len(content)), content) for name, content in files.items())]
    # As Rasa writes them: a modification time with a fraction needs a PAX header.
    for member, _ in members:
        member.mtime = 1772366400.25
    return gzipped(tar_of(members))


def model_files(metadata: Mapping[str, Any], payload: bytes = b"") -> dict[str, bytes]:
    return {
        "components/domain_provider/domain.yml": b"version: '3.1'\n",
        "components/train_RulePolicy0/rule_policy.json": payload or b"{}",
        "metadata.json": json.dumps(metadata).encode(),
    }


def rasa_archive(name: str = "brisk-otter", *, payload: bytes = b"", **metadata: Any) -> bytes:
    """An archive that the control plane accepts; the same arguments give the same bytes, another name others.

    `metadata`: see `rasa_metadata`. `payload` fills a component, to make it large.
    """
    return archive_of(model_files(rasa_metadata(name, **metadata), payload))


def real_archive(name: str, **metadata: Any) -> bytes:
    """The really trained model, which a Rasa server loads, made to say "Hello from <name>." to "hello"."""
    said = f"Hello from {name}."
    with tarfile.open(REAL_ARCHIVE) as tar:
        members = [(member, tar.extractfile(member).read() if member.isfile() else b"") for member in tar]
    changed = []
    for member, content in members:
        if member.name == "metadata.json":
            document = json.loads(content)
            document["domain"]["responses"]["utter_greet"] = [{"text": said}]
            content = json.dumps({**document, "model_id": sha256(name.encode())[:32], **metadata}).encode()
        elif member.name.endswith("domain.yml"):
            content = content.replace(b"Hello!", said.encode())
        member.size = len(content)
        changed.append((member, content))
    return gzipped(tar_of(changed))


def rasa_zip(name: str = "brisk-otter", **metadata: Any) -> bytes:
    """The same model unpacked and zipped, as the scripts of the Rasa Platform sent it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in model_files(rasa_metadata(name, **metadata)).items():
            archive.writestr(zipfile.ZipInfo(path), content)
    return buffer.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
