"""Standard output for results, standard error for people: messages, a log, and one line that shows how far it is.

On a terminal that line is drawn anew in place; elsewhere, as in the log of a CI, each news is a line of its own.
"""

import os
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TextIO

BAR = 24
# At most so often on a terminal, and so often where nothing but the share changes elsewhere.
REDRAW_SECONDS = 0.1
PLAIN_SECONDS = 15.0
ERASE = "\r\x1b[K"
COLORS = {"red": "31", "green": "32", "yellow": "33", "dim": "2"}

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def clean(text: str) -> str:
    """Text from elsewhere cannot steer the terminal that shows it."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


class Terminal:
    def __init__(
        self, out: TextIO | None = None, err: TextIO | None = None, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self.live = self._err.isatty() and environ.get("TERM", "") != "dumb"
        self._colored = self.live and not environ.get("NO_COLOR")
        self._shown = ""
        self._told = ""
        self._drawn_at = 0.0

    def result(self, text: str) -> None:
        """A line of what was asked for."""
        self._clear()
        self._out.write(f"{text}\n")
        self._out.flush()

    def say(self, text: str, color: str = "") -> None:
        """A message, on a line of its own."""
        self._over(f"{self._paint(clean(text), color)}\n")

    def log(self, text: str) -> None:
        """A piece of a log, which may end in the middle of a line."""
        text = clean(text)
        self._over(text if text.endswith("\n") or not text else f"{text}\n")

    def progress(self, label: str, share: float | None = None) -> None:
        """How far it is: `share` from 0 to 1, None where it is not known."""
        label, now = clean(label), time.monotonic()
        if self.live:
            if label == self._told and now - self._drawn_at < REDRAW_SECONDS and share != 1:
                return
            self._draw(label, share)
        else:
            if label == self._told and now - self._drawn_at < PLAIN_SECONDS:
                return
            self._err.write(f"{label}{_percent(share)}\n")
            self._err.flush()
        self._told, self._drawn_at = label, now

    def transfer(self, label: str, share: float | None) -> None:
        """How much of a file went over; elsewhere than on a terminal told only where that takes long."""
        if not self.live and self._told != label:
            self._told, self._drawn_at = label, time.monotonic()
        self.progress(label, share)

    def done(self) -> None:
        """Take the line of progress away."""
        self._clear()
        self._told = ""

    def _draw(self, label: str, share: float | None) -> None:
        width = shutil.get_terminal_size().columns - 1
        text = f"{label}{_percent(share)}"
        if share is not None:
            full = round(BAR * min(max(share, 0.0), 1.0))
            text = f"[{'#' * full}{'.' * (BAR - full)}] {text}"
        self._shown = text[: max(width, 1)]
        self._err.write(ERASE + self._shown)
        self._err.flush()

    def _clear(self) -> None:
        if self._shown:
            self._err.write(ERASE)
            self._err.flush()
            self._shown = ""

    def _over(self, text: str) -> None:
        """Write above the line of progress."""
        shown = self._shown
        self._clear()
        self._err.write(text)
        if shown:
            self._err.write(shown)
            self._shown = shown
        self._err.flush()

    def _paint(self, text: str, color: str) -> str:
        return f"\x1b[{COLORS[color]}m{text}\x1b[0m" if color and self._colored else text


def _percent(share: float | None) -> str:
    return "" if share is None else f" {share:.0%}"


def size(count: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as what is in them."""
    lines = [head, *([clean(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
