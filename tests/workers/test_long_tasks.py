"""Long tasks leave a thread to the short ones."""

import threading

from controlplane import programs
from controlplane.celery import app
from workers import long_tasks


def test_each_runs_once_at_a_time_and_again_afterwards():
    begun, over, runs = threading.Event(), threading.Event(), []

    @long_tasks.one_at_a_time
    def work():
        runs.append(1)
        begun.set()
        over.wait(10)

    long_tasks.names.remove("work")
    first = threading.Thread(target=work)
    first.start()
    assert begun.wait(10)
    work()
    assert len(runs) == 1
    over.set()
    first.join()
    work()
    assert len(runs) == 2


def test_one_that_fails_is_called_again():
    @long_tasks.one_at_a_time
    def fails():
        raise ValueError

    long_tasks.names.remove("fails")
    for _ in range(2):
        try:
            fails()
        except ValueError:
            continue
        raise AssertionError("it was not called")


def test_there_is_a_thread_for_each_and_some_are_left():
    app.loader.import_default_modules()
    assert len(long_tasks.names) == programs.LONG_TASKS
    assert programs.threads("default") > programs.LONG_TASKS + 1
