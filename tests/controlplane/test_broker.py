"""The embedded broker: whole messages only, one reader each, bindings that survive a common start. And any broker that
is away: nobody waits for it for long."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from queue import Empty

import pytest
from kombu import Connection, Exchange, Queue

from controlplane import broker
from controlplane.celery import app
from tests.live import ROOT

QUEUE = Queue("default", Exchange("default"), routing_key="default")


@pytest.fixture
def folders(tmp_path):
    return {
        "data_folder_in": str(tmp_path / "broker" / "messages"),
        "data_folder_out": str(tmp_path / "broker" / "messages"),
        "processed_folder": str(tmp_path / "broker" / "processed"),
        "control_folder": str(tmp_path / "broker" / "control"),
    }


@pytest.fixture
def connection(folders):
    with Connection(transport=broker.Transport, transport_options=folders) as connection:
        yield connection


@pytest.fixture
def queue(connection):
    with connection.SimpleQueue(QUEUE) as queue:
        yield queue


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_messages_come_out_in_the_order_they_went_in(queue):
    for number in range(5):
        queue.put({"number": number})
    assert len(queue) == 5
    assert [queue.get(block=False).payload["number"] for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(Empty):
        queue.get(block=False)


def test_a_half_written_message_is_not_seen(queue, tmp_path):
    (tmp_path / "broker" / "messages" / "default" / ".abc.tmp").write_text('{"half')
    with pytest.raises(Empty):
        queue.get(block=False)


def test_an_unreadable_message_is_left_out_and_the_next_one_comes(queue, tmp_path, caplog):
    (tmp_path / "broker" / "messages" / "default" / "00_abc.msg").write_text("")
    queue.put("sound")
    assert queue.get(block=False).payload == "sound"
    assert "cannot be read" in caplog.text


def test_a_taken_message_leaves_no_file(queue, tmp_path):
    queue.put("once")
    queue.get(block=False).ack()
    assert names(tmp_path / "broker" / "messages" / "default") == []
    assert names(tmp_path / "broker" / "processed") == []


def test_what_others_took_is_passed_over_and_what_comes_later_is_found(queue, folders):
    for number in range(4):
        queue.put(number)
    assert queue.get(block=False).payload == 0
    with (
        Connection(transport=broker.Transport, transport_options=folders) as connection,
        connection.SimpleQueue(QUEUE) as other,
    ):
        assert [other.get(block=False).payload for _ in range(2)] == [1, 2]
        queue.put(4)
        assert [queue.get(block=False).payload for _ in range(2)] == [3, 4]
        with pytest.raises(Empty):
            other.get(block=False)


def test_a_long_queue_is_not_looked_through_for_each_message(queue, monkeypatch):
    for number in range(50):
        queue.put(number)
    listed, listdir = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: listed.append(folder) or listdir(folder))
    assert [queue.get(block=False).payload for _ in range(50)] == list(range(50))
    assert len(listed) == 1


@pytest.mark.parametrize("folder", ["messages", "processed"])
def test_a_folder_that_was_deleted_is_a_broken_connection_and_the_next_one_makes_it_anew(
    queue, connection, folders, tmp_path, folder
):
    queue.put("there")
    shutil.rmtree(tmp_path / "broker" / folder)
    with pytest.raises(connection.connection_errors):
        queue.get(block=False)
    with (
        Connection(transport=broker.Transport, transport_options=folders) as connection,
        connection.SimpleQueue(QUEUE) as anew,
    ):
        anew.put("later")
        assert anew.get(block=False).payload in ("there", "later")


def test_purging_empties_the_queue(queue):
    queue.put("one")
    queue.put("two")
    assert queue.clear() == 2
    assert len(queue) == 0


def test_several_that_bind_at_once_on_an_empty_folder_are_all_bound(folders):
    def bind(name):
        with Connection(transport=broker.Transport, transport_options=folders) as connection:
            Queue(name, Exchange("shared"), routing_key=name).bind(connection.channel()).declare()

    threads = [threading.Thread(target=bind, args=[f"queue-{number}"]) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Connection(transport=broker.Transport, transport_options=folders) as connection:
        bound = connection.channel().get_table("shared")
    assert sorted(row.queue for row in bound) == sorted(f"queue-{number}" for number in range(12))


def test_the_application_uses_this_transport_for_the_embedded_broker():
    with app.connection_for_write() as connection:
        assert connection.get_transport_cls() is broker.Transport


# What sending loads for the first time is no waiting, so it is loaded before the clock runs.
SEND = """
import time
import kombu.exceptions
from controlplane.celery import app
app.tasks, app.amqp.queues
with app.connection_for_write() as connection:
    connection.transport.default_connection_params, connection.transport.connection_errors
begun = time.monotonic()
try:
    app.send_task("workers.train", args=[1], retry=False)
except kombu.exceptions.OperationalError:
    print(time.monotonic() - begun)
"""


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
@pytest.mark.parametrize("listens", [False, True])
def test_sending_to_a_broker_that_is_away_ends_soon(scheme, listens, tmp_path):
    # Bound alone it refuses; listening it takes connections, as a stopped process does, and answers nothing.
    with socket.socket() as broker:
        broker.bind(("127.0.0.1", 0))
        if listens:
            broker.listen()
        url = f"{scheme}://127.0.0.1:{broker.getsockname()[1]}//"
        sending = subprocess.run(
            [sys.executable, "manage.py", "shell", "-v", "0", "-c", SEND],
            cwd=ROOT,
            env={**os.environ, "BROKER_URL": url, "CONTROLPLANE_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    # Without a limit of its own it takes six seconds, or for ever.
    assert float(sending.stdout) < 4.5
