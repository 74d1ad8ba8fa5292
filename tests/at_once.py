"""Several acts that begin at the same moment, each in a thread and on a connection of its own."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence

from django.db import connection

from accounts.problems import Problem


def at_once(acts: Sequence[Callable[[], str]]) -> dict[str, int]:
    """How many of `acts` ended how: with what they return, with the code of a refusal, or with a fault."""
    start = threading.Barrier(len(acts))
    ends: list[str] = []

    def run(act: Callable[[], str]) -> None:
        connection.ensure_connection()
        start.wait()
        try:
            ends.append(act())
        except Problem as problem:
            ends.append(problem.code)
        except Exception as error:
            ends.append(repr(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return dict(sorted(Counter(ends).items()))
