"""Starts a stock Rasa server under the Python of its own environment: `python -I rasa_server.py ARGUMENTS…`.

The secrets come as variables and are appended here: on a command line every user of the machine could read them. A made
one may begin with a dash: so each is one word with its option.
"""

import logging
import os
import runpy
import sys
import warnings
from typing import Any

TOKEN, JWT_SECRET = "RASA_SERVER_TOKEN", "RASA_SERVER_JWT_SECRET"

show_any_warning = warnings.showwarning


def arguments(given: list[str]) -> list[str]:
    full = ["rasa", *given]
    if token := os.environ.pop(TOKEN, ""):
        full += [f"--auth-token={token}"]
    if secret := os.environ.pop(JWT_SECRET, ""):
        full += ["--jwt-method=HS256", f"--jwt-secret={secret}"]
    return full


def is_news(record: logging.LogRecord) -> bool:
    """Not that a server without a model was asked for its status, every few seconds until one is promoted."""
    return not record.getMessage().startswith("No agent loaded.")


def show_warning(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
    """What Rasa says of training data, not that its libraries grow old. Rasa itself lets all warnings through."""
    if not issubclass(category, DeprecationWarning):
        show_any_warning(message, category, *where, **more)


if __name__ == "__main__":
    warnings.showwarning = show_warning
    logging.getLogger("rasa.server").addFilter(is_news)
    sys.argv = arguments(sys.argv[1:])
    runpy.run_module("rasa", run_name="__main__")
