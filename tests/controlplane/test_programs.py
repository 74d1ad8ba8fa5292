"""What runs beside the web process finds its work: queues, tasks and schedule agree."""

from datetime import timedelta

from celery import Celery
from django.conf import settings

from controlplane import broker, programs
from controlplane.celery import app
from environments.actions import queue
from workers import tasks  # noqa: F401 (registers them)


def queues_of(program):
    command = list(program.command)
    return command[command.index("--queues") + 1].split(",") if "--queues" in command else []


def test_every_queue_has_a_worker_and_is_declared_before_it_starts():
    served = [
        queue for program in programs.all_of("127.0.0.1", 5002, "http://localhost:5002") for queue in queues_of(program)
    ]
    assert sorted(served) == sorted(broker.QUEUES)


def test_every_route_leads_to_a_queue_that_is_served():
    assert {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()} <= set(broker.QUEUES)


def test_jobs_keep_no_short_task_waiting():
    """Whatever may last long has a queue other than the default one."""
    routes = {task: route["queue"] for task, route in settings.CELERY_TASK_ROUTES.items()}
    assert set(routes) == set(queue.TASKS.values())
    assert set(routes.values()) == {"training", "evaluation"}


def test_every_periodic_task_exists():
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} <= set(app.tasks)


def test_declared_queues_are_found_by_whoever_starts_later(tmp_path):
    other = Celery("other", set_as_current=False)
    folders = {"data_folder_in": "messages", "data_folder_out": "messages", "processed_folder": "processed"}
    options = {key: str(tmp_path / name) for key, name in {**folders, "control_folder": "control"}.items()}
    other.conf.update(broker_transport="controlplane.broker:Transport", broker_transport_options=options)
    broker.declare_queues(other)
    broker.declare_queues(other)
    assert sorted(path.name for path in (tmp_path / "control").glob("*.exchange")) == [
        f"{name}.exchange" for name in sorted(broker.QUEUES)
    ]


def test_leftovers_of_killed_processes_are_cleared_and_messages_are_not(tmp_path):
    for name in ("messages/default/.ab.tmp", "processed/1_x.msg", "messages/default/1_x.msg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    broker.clear_leftovers(tmp_path, timedelta(minutes=1))
    assert len(list(tmp_path.rglob("*.*"))) == 3
    broker.clear_leftovers(tmp_path)
    assert [path.name for path in tmp_path.rglob("*.*")] == ["1_x.msg"]
