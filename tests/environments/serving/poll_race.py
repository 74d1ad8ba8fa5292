"""Run by `test_poll_races.py` in a process of its own, on a database and a cache of its own: a replica whose many
processes poll at the same moment, through several web processes, while heartbeats are written.

Arguments: how many web processes, how many polls each, and the name of the replica. Prints one JSON object.
"""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from accounts.actor import API, Actor  # noqa: E402
from environments.actions import promotions  # noqa: E402
from environments.models import Environment, Replica  # noqa: E402
from environments.serving import ledger, lookup, polls  # noqa: E402
from tests.factories import EnvironmentFactory, TrainedModelFactory, administrator  # noqa: E402

THREADS = 4


def web_process(number: int, count: int, name: str) -> None:
    """`count` restarted processes ask for their first model, and as many polls only say that they are there."""
    environment = Environment.objects.get()
    found = lookup.by_key(environment.pk)
    pull = polls.Pull(environment, found.model, found.promotion)
    done = threading.Event()

    def poll(etag: str) -> None:
        polls.take(environment=environment, pull=pull, name=name, address="", etag=etag, serve=lambda model: model.name)
        connection.close()

    def flush() -> None:
        while not done.is_set():
            ledger.flush()
            done.wait(0.05)
        connection.close()

    flusher = threading.Thread(target=flush)
    flusher.start()
    with ThreadPoolExecutor(THREADS) as pool:
        etags = [etag for n in range(count) for etag in (f"{number * count + n:032x}", pull.model.hash)]
        list(pool.map(poll, etags))
    done.set()
    flusher.join()
    ledger.flush()


def main(processes: int, count: int, name: str) -> None:
    call_command("migrate", verbosity=0)
    environment = EnvironmentFactory(name="production")
    by = Actor(user=administrator("ana"), via=API)
    promotions.promote(environment=environment, model=TrainedModelFactory(name="brisk-otter"), by=by)
    connection.close()
    command = [sys.executable, "-m", "tests.environments.serving.poll_race"]
    started = [subprocess.Popen([*command, "web", str(n), str(count), name]) for n in range(processes)]
    ends = [process.wait() for process in started]
    entry, row = ledger.find(environment.pk, name), Replica.objects.get()
    result = {
        "ends": ends,
        "downloads": entry.record.downloads,
        "downloads in the database": row.record["downloads"],
        "same polls": list(entry.record.polls) == row.record["polls"],
    }
    sys.stdout.write(json.dumps(result))


if sys.argv[1] == "web":
    web_process(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
else:
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
