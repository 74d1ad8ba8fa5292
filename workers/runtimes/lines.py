"""What a program prints, as lines, bounded whatever it prints: the log, the states of progress bars, the last words.

Pure: bytes in, values out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_LINE = 8 * 1024
# Of one run. A training of hours prints less; past it only the last words are kept.
MAX_LOG = 4 * 1024**2
LAST_WORDS = 32 * 1024

_END = re.compile(rb"[\r\n]")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# What libraries say of each other's age, in two lines. Rasa lets it all through, and it is nothing to who trains.
_AGE = re.compile(r"\S+:\d+: \w*DeprecationWarning: |Implementing implicit namespace packages")


@dataclass(frozen=True)
class Line:
    """`is_state`: it is written over by the next one, as a progress bar does."""

    text: str
    is_state: bool


def plain(text: str) -> str:
    """Without colours, and without what a database or a terminal chokes on."""
    return _ESCAPES.sub("", text)


class Lines:
    """Cuts what comes in pieces into lines. One without an end is cut at `MAX_LINE`, and its rest left out."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False

    def feed(self, piece: bytes) -> Iterator[Line]:
        begin = 0
        for end in _END.finditer(piece):
            yield from self._line(piece[begin : end.start()], is_state=end.group() == b"\r")
            begin = end.end()
        self._keep(piece[begin:])

    def rest(self) -> Iterator[Line]:
        """The last line, where no end came."""
        yield from self._line(b"", is_state=False)

    def _line(self, tail: bytes, *, is_state: bool) -> Iterator[Line]:
        self._keep(tail)
        text = plain(self._rest.decode(errors="replace")).rstrip() + (" […]" if self._skipping else "")
        self._rest, self._skipping = b"", False
        if text:
            yield Line(text, is_state)

    def _keep(self, tail: bytes) -> None:
        room = MAX_LINE - len(self._rest)
        self._skipping = self._skipping or len(tail) > room
        self._rest += tail[:room]


class Printed:
    """All that one run prints: the lines worth keeping and `last_words`, its end as it came, with colours."""

    def __init__(self) -> None:
        self.last_words = b""
        self.left_out = 0
        self._lines = Lines()
        self._logged = 0
        self._after_age = False

    @property
    def is_full(self) -> bool:
        return self._logged > MAX_LOG

    def feed(self, piece: bytes) -> Iterator[Line]:
        self.last_words = (self.last_words + piece)[-LAST_WORDS:]
        if self.is_full:
            self.left_out += len(piece)
            return
        self._logged += len(piece)
        yield from filter(self._is_worth_it, self._lines.feed(piece))

    def rest(self) -> Iterator[Line]:
        """The last line; or, of a run that printed too much, its last words."""
        if not self.left_out:
            yield from filter(self._is_worth_it, self._lines.rest())
            return
        yield Line(f"[… {self.left_out} bytes of output are left out; its end:]", is_state=False)
        lines = Lines()
        yield from lines.feed(self.last_words)
        yield from lines.rest()

    def _is_worth_it(self, line: Line) -> bool:
        if self._after_age and line.text.startswith("  "):
            return False
        self._after_age = bool(_AGE.match(line.text))
        return not self._after_age
