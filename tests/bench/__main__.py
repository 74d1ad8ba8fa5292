"""`make bench`: a table of ratios. Exits 1 where a figure is below what is asked of it."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

CONNECTIONS = 32
SECONDS = 6.0
REPLICAS = 100


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def web(port: int) -> Iterator[None]:
    """The web process as `manage.py up` runs it, with the benchmarks' URLs."""
    options = ["--interface", "wsgi", "--workers", "1", "--blocking-threads", "64", "--no-access-log"]
    command = [sys.executable, "-m", "granian", *options, "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen([*command, "controlplane.wsgi:application"], stdout=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_for(port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("The web process did not start.")


def seed() -> tuple[str, str]:
    """production with a promoted model; its service token and the model's ETag."""
    import django

    django.setup()
    from django.core.management import call_command

    from accounts.actor import COMMAND, system
    from environments.actions import promotions
    from environments.serving import service_tokens
    from tests.factories import EnvironmentFactory, TrainedModelFactory

    call_command("migrate", verbosity=0)
    production = EnvironmentFactory(name="production", replicas=REPLICAS)
    model = TrainedModelFactory()
    promotions.promote(environment=production, model=model, by=system(COMMAND))
    return service_tokens.service_token(production), model.etag


def polls(token: str, etag: str) -> list[bytes]:
    from tests.bench.load import prepared

    headers = {"Authorization": f"Bearer {token}", "If-None-Match": etag}
    path = "/api/projects/default/models/tags/production?replica=rasa-{}"
    return [prepared(path.format(number), headers) for number in range(REPLICAS)]


def main() -> int:
    from tests.bench.load import prepared, run

    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"CONTROLPLANE_HOME": home, "DJANGO_SETTINGS_MODULE": "tests.bench.settings"}
        token, etag = seed()
        port = free_port()
        with web(port):
            requests = polls(token, etag)
            run(port, requests, seconds=2, expected=304)
            nothing = [prepared("/bench/empty", {"If-None-Match": etag})] * CONNECTIONS
            empty = run(port, nothing, seconds=SECONDS, expected=304)
            poll = run(port, requests[:CONNECTIONS], seconds=SECONDS, expected=304)
    ratio = poll.rate / empty.rate
    print(f"{'':<34} {'per second':>10} {'median ms':>10} {'p99 ms':>8}")
    for name, load in (("an empty Django view", empty), ("an unchanged poll", poll)):
        print(f"{name:<34} {load.rate:>10.0f} {load.median * 1000:>10.2f} {load.p99 * 1000:>8.2f}")
    print(f"{'an unchanged poll / an empty view':<34} {ratio:>10.2f}   (at least 0.30)")
    return 0 if ratio >= 0.3 else 1


if __name__ == "__main__":
    sys.exit(main())
