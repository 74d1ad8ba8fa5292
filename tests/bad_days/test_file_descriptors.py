"""The web process is out of file descriptors: no server loses its model, and nothing is called damaged for it."""

import contextlib
import resource
import socket
import time
from pathlib import Path

import httpx

from tests import multipart
from tests.archives import rasa_archive
from tests.live import ControlPlane, wait_until

URL = "/api/projects/default/models"
DAMAGED = "from environments.models import TrainedModel; print(TrainedModel.objects.exclude(damaged_at=None).count())"


def worker_of(plane) -> int:
    """Of the processes below the launcher, the one without children serves."""
    pid = plane.running["web"].process.pid
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        pid = int(children[0])
    return pid


def test_polls_are_answered_and_nothing_is_marked_until_descriptors_are_back(tmp_path):
    environments = "rasa: {production: {url: 'http://localhost:9', pull_interval: 2}}\n"
    plane = ControlPlane(tmp_path, environments, variables={"RASA_X_TOKEN": "sesame-of-tests"})
    with contextlib.ExitStack() as stack:
        stack.callback(plane.stop)
        archive = rasa_archive("calm-heron")
        body = multipart.upload("calm-heron.tar.gz", archive)
        headers = {"Content-Type": multipart.CONTENT_TYPE}
        etag = plane.http.post(f"{URL}?tags=production", content=body, headers=headers).json()["hash"]
        server = stack.enter_context(httpx.Client(base_url=plane.url, timeout=20))

        def poll(loaded: str) -> httpx.Response:
            told = {"Authorization": "Bearer sesame-of-tests", "If-None-Match": loaded}
            return server.get(f"{URL}/tags/production", headers=told)

        assert poll(etag).status_code == 304
        worker = worker_of(plane)
        before = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        few = len(list(Path(f"/proc/{worker}/fd").iterdir())) + 1
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (few, before[1]))
        address = ("127.0.0.1", plane.ports["web"])
        idle = [stack.enter_context(socket.create_connection(address)) for _ in range(30)]
        time.sleep(0.5)
        for loaded in (etag, "0" * 64, "a-fresh-process") * 3:
            answer = poll(loaded)
            assert answer.status_code in (304, 503) or answer.content == archive
        resource.prlimit(worker, resource.RLIMIT_NOFILE, before)
        for connection in idle:
            connection.close()
        wait_until(lambda: poll("another-fresh-process").content == archive, 20, "a whole download")
        assert int(plane.run(DAMAGED)) == 0
