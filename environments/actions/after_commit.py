"""What follows a commit, mostly to wake somebody. What was stored stays stored and is answered so, whatever becomes of
this: it is logged, and whom it was to wake looks by itself."""

from collections.abc import Callable

from django.db import transaction


def call(act: Callable[..., object], *arguments: object) -> None:
    """Call it once the present transaction is committed."""

    # Django logs what fails here by its name, which a partial has not.
    def hook() -> None:
        act(*arguments)

    transaction.on_commit(hook, robust=True)
