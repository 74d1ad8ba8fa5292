"""The embedded broker: kombu's `filesystem://` transport, made safe for several processes and `kill -9`.

kombu's own writer is not atomic (a reader can meet an empty message, which kills a worker), takes messages through the
system's temporary folder, and can lose bindings when several processes bind at once on an empty folder.
"""

import fcntl
import logging
import os
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from queue import Empty
from typing import Any

from celery import Celery
from kombu.transport import filesystem, virtual
from kombu.utils.json import dumps, loads

logger = logging.getLogger(__name__)

QUEUES = ("default", "training", "evaluation")


def write_whole(path: Path, text: str) -> None:
    """Make the file appear complete, under its name, at once."""
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    temporary.write_text(text)
    temporary.rename(path)


class Channel(filesystem.Channel):
    """Messages are files `<queue>/<time>_<uuid>.msg`, taken by renaming them: the first of several readers wins.

    A folder is listed again only when all that was found in it is taken, or gone to other readers: what comes later is
    newer. So the next of ten thousand messages costs what the next of ten does.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.incoming = Path(self.data_folder_in)
        self.taken = Path(self.processed_folder)
        self._found: defaultdict[str, deque[Path]] = defaultdict(deque)
        for folder in (self.incoming, self.taken, self.control_folder):
            folder.mkdir(parents=True, exist_ok=True)

    def _new_queue(self, queue: str, **kwargs: Any) -> None:
        (self.incoming / queue).mkdir(parents=True, exist_ok=True)

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        self._new_queue(queue)
        # The wall clock, zero-padded: sorted by name is sorted by time, across processes and restarts.
        name = f"{time.time_ns():020d}_{uuid.uuid4().hex}.msg"
        write_whole(self.incoming / queue / name, dumps(payload))

    def _messages(self, queue: str) -> list[Path]:
        folder = self.incoming / queue
        return [folder / name for name in sorted(os.listdir(folder)) if name.endswith(".msg")]

    def _oldest(self, queue: str) -> Path:
        found = self._found[queue]
        if not found:
            found.extend(self._messages(queue))
        if not found:
            raise Empty
        return found.popleft()

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        while True:
            path = self._oldest(queue)
            taken = self.taken / path.name
            try:
                path.rename(taken)
                text = taken.read_text()
                taken.unlink()
            except FileNotFoundError:
                if path.exists():
                    raise  # the folder for taken ones is gone: a new connection makes it
                continue
            try:
                return loads(text)
            except ValueError:
                logger.error("A message of the queue %s cannot be read and is left out.", queue)

    def _size(self, queue: str) -> int:
        return len(self._messages(queue))

    def _purge(self, queue: str) -> int:
        messages = self._messages(queue)
        for path in messages:
            path.unlink(missing_ok=True)
        return len(messages)

    @contextmanager
    def _binding(self) -> Iterator[None]:
        with (self.control_folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        wanted = [routing_key or "", pattern or "", queue or ""]
        file = self._exchange_file(exchange)
        with self._binding():
            bound = loads(file.read_text()) if file.exists() else []
            if wanted not in bound:
                write_whole(file, dumps([wanted, *bound]))


class Transport(filesystem.Transport):
    """Each connection looks up bindings in the folder: those remembered for a whole process would outlive it."""

    Channel = Channel
    # A worker tries again until the folder is there and can be written; any other error would end it.
    connection_errors = (*filesystem.Transport.connection_errors, OSError)  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.state = virtual.BrokerState()


def declare_queues(app: Celery) -> None:
    """Make the queues, before several processes look for them at once."""
    with app.connection_for_write() as connection, connection.channel() as channel:
        for name in QUEUES:
            app.amqp.queues[name].bind(channel).declare()


def clear_leftovers(folder: Path, older_than: timedelta = timedelta(0)) -> None:
    """Remove what killed processes left half written or half taken: either takes a living one no time at all."""
    before = time.time() - older_than.total_seconds()
    for leftover in (*folder.glob("**/.*.tmp"), *folder.glob("processed/*.msg")):
        with suppress(FileNotFoundError):
            # The time of change, which taking a message by a rename sets too.
            if leftover.stat().st_ctime <= before:
                leftover.unlink()
