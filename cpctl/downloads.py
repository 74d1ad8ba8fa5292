"""Fetching an archive: to a temporary name, taken up again where the connection broke, and shown only when its bytes
are those that the ETag promises."""

import hashlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

from cpctl.api import Api, Retry
from cpctl.exits import Exit
from cpctl.failures import Failure, usage

ETAG = re.compile(r'"([0-9a-f]{64})"')
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,250}")


@dataclass(frozen=True)
class Fetched:
    path: Path
    sha256: str
    size: int


class _Draft:
    """The file under its temporary name, and what is known of the archive that it becomes."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.digest = hashlib.sha256()
        self.got = 0
        self.size = 0
        self.etag = ""
        self.filename = ""

    def begin(self, response: httpx.Response) -> None:
        """Take up what `response` brings: the rest of what is here, or another archive from its start."""
        if response.status_code == 200:
            self.file.seek(0)
            self.file.truncate()
            self.digest, self.got = hashlib.sha256(), 0
            self.size = int(response.headers.get("content-length", 0))
        self.etag = response.headers.get("etag", "")
        self.filename = response.headers.get("filename", "")
        if not ETAG.fullmatch(self.etag):
            raise _broken("the answer has no ETag that is a SHA-256, so nothing can be verified")

    def write(self, data: bytes) -> None:
        self.file.write(data)
        self.digest.update(data)
        self.got += len(data)

    @property
    def resume(self) -> dict[str, str]:
        """Ask for what is missing; all of it where that became another archive."""
        return {"Range": f"bytes={self.got}-", "If-Range": self.etag} if self.got else {}

    def check(self) -> str:
        sha256 = self.digest.hexdigest()
        if f'"{sha256}"' != self.etag:
            raise _broken(f"{self.got} bytes came, and they do not hash to {self.etag}")
        return sha256


def _broken(why: str) -> Failure:
    return Failure(
        Exit.UNSUCCESSFUL, f"Nothing was kept: {why}. Fetch it again.", title="The download is not the model"
    )


def fetch(api: Api, url: str, output: Path, *, label: str) -> Fetched:
    """The archive at `url`, at `output`: a folder that exists (its own name there), or a file."""
    folder = output if output.is_dir() else output.parent
    temporary = folder / f".cpctl-{os.getpid()}.part"
    try:
        with temporary.open("xb") as file:
            draft = _Draft(file)
            _receive(api, url, draft, label)
            sha256 = draft.check()
            file.flush()
            os.fsync(file.fileno())
        path = output / _name(draft) if output.is_dir() else output
        temporary.replace(path)
    except OSError as error:
        raise usage(f"{output} cannot be written: {error.strerror}.") from error
    finally:
        temporary.unlink(missing_ok=True)
        api.terminal.done()
    return Fetched(path, sha256, draft.got)


def _name(draft: _Draft) -> str:
    """The file name that came with it, which must not lead out of the folder."""
    if not SAFE_NAME.fullmatch(draft.filename):
        raise _broken(f"the name that came with it, {draft.filename[:80]!r}, is no plain file name")
    return draft.filename


def _receive(api: Api, url: str, draft: _Draft, label: str) -> None:
    """Until it is whole. A connection that breaks while bytes come is tried again as long as it gets further."""
    retry, breaks = Retry(api), 0
    while True:
        before = draft.got
        try:
            with api.download(url, draft.resume) as response:
                if response.status_code not in (200, 206):
                    response.read()
                    retry.after_refusal(response, repeatable=True)
                    continue
                draft.begin(response)
                for data in response.iter_raw():
                    draft.write(data)
                    api.terminal.transfer(f"fetching {label}", draft.got / draft.size if draft.size else None)
            return
        except httpx.TransportError as error:
            breaks = 0 if draft.got > before else breaks + 1
            if breaks:
                retry.after_silence(error)
            else:
                time.sleep(0.2)
