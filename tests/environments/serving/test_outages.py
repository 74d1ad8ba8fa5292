"""While a part is away one request at a time tries it, and the others go on without it at once."""

import threading

import pytest
from django.db import OperationalError, connection

from environments.serving import outages
from environments.serving.outages import Part


class Gone(Exception):
    pass


@pytest.fixture
def part(monkeypatch):
    monkeypatch.setattr(outages, "PAUSE", 0.0)
    return Part("It", (Gone,))


def fail(part):
    with pytest.raises(Gone), part.asked():
        raise Gone


def test_one_failure_is_an_outage_and_one_answer_ends_it(part):
    assert not part.away
    fail(part)
    assert part.away
    with part.asked():
        pass
    assert not part.away


def test_what_is_no_outage_is_none(part):
    with pytest.raises(ValueError, match="bad"), part.asked():
        raise ValueError("bad")
    assert not part.away


def test_while_one_tries_it_the_others_do_not_wait(part):
    fail(part)
    tries, ends = threading.Event(), threading.Event()

    def try_it():
        with part.asked():
            tries.set()
            ends.wait(10)

    trying = threading.Thread(target=try_it)
    trying.start()
    assert tries.wait(10)
    with pytest.raises(Gone, match="It is away"), part.asked():
        pytest.fail("it was asked")
    ends.set()
    trying.join()
    with part.asked():
        pass


def test_between_two_tries_there_is_a_pause(part, monkeypatch):
    monkeypatch.setattr(outages, "PAUSE", 60.0)
    fail(part)
    with pytest.raises(Gone, match="It is away"), part.asked():
        pytest.fail("it was asked")


def test_a_try_that_fails_leaves_the_next_one_to_try(part):
    fail(part)
    fail(part)
    with part.asked():
        pass
    assert not part.away


@pytest.mark.parametrize("patience", [outages.read_patience, outages.write_patience])
def test_the_patience_of_a_poll_ends_with_it(db, patience):
    def waits():
        if connection.vendor == "sqlite":
            return connection.connection.execute("PRAGMA busy_timeout").fetchone()[0]
        return connection.patience

    connection.ensure_connection()
    before = waits()
    with pytest.raises(OperationalError), patience():
        raise OperationalError
    assert waits() == before


def test_a_clock_that_is_set_back_puts_no_try_off(monkeypatch):
    part = Part("It", (Gone,))
    monkeypatch.setattr(outages, "PAUSE", 0.05)
    with monkeypatch.context() as clock:
        clock.setattr(outages.time, "time", lambda: 1e10)
        fail(part)
    threading.Event().wait(0.1)
    with part.asked():
        pass
    assert not part.away
