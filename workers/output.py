"""What a program prints, on its way into a job's log: bounded, in whole lines, harmless as text, without secrets."""

import re
from collections import deque

from accounts.scrubbing import scrub

# What waits to be stored. A program that prints faster than that is not slowed down: the middle is left out.
MOST_WAITING = 512 * 1024
# A line that does not end is stored in parts.
LONGEST_LINE = 64 * 1024
LEFT_OUT = "[… {} characters were left out …]\n"

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]*[0-~])?")
# Controls, the direction of text, and halves of characters: each is shown as one sign. NUL cannot be stored at all.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str) -> str:
    """`text` as a terminal would leave it standing: no colours, a line that was written over shows its last state."""
    lines = _ESCAPES.sub("", text).replace("\r\n", "\n").split("\n")
    return _UNSEEN.sub("\ufffd", "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines))


class Output:
    """Text that waits to be stored. Not for several threads at once."""

    def __init__(self) -> None:
        self._first: list[str] = []
        self._last: deque[str] = deque()
        self._sizes = [0, 0]
        self._left_out = 0

    def add(self, text: str) -> None:
        half = MOST_WAITING // 2
        if self._sizes[0] < half:
            begin, text = text[: half - self._sizes[0]], text[half - self._sizes[0] :]
            self._first.append(begin)
            self._sizes[0] += len(begin)
        if text:
            self._last.append(text)
            self._sizes[1] += len(text)
        while self._sizes[1] > half:
            self._leave_out(self._sizes[1] - half)

    def _leave_out(self, size: int) -> None:
        oldest = self._last.popleft()
        size = min(size, len(oldest))
        if len(oldest) > size:
            self._last.appendleft(oldest[size:])
        self._sizes[1] -= size
        self._left_out += size

    def take(self, *, all_of_it: bool = False) -> str:
        """What can be stored now: whole lines, and where `all_of_it` what is left of the last one too."""
        text = self._joined()
        whole = text.rfind("\n") + 1
        if all_of_it or len(text) - whole > LONGEST_LINE:
            whole = len(text)
        self.__init__()  # type: ignore[misc]
        if whole < len(text):
            self.add(text[whole:])
        return scrub(harmless(text[:whole]))

    def _joined(self) -> str:
        first, last = "".join(self._first), "".join(self._last)
        if not self._left_out:
            return first + last
        # Cut at ends of lines, so that no half of a secret stands without its name.
        head, tail = first[: first.rfind("\n") + 1], last[last.find("\n") + 1 :]
        left_out = self._left_out + len(first) - len(head) + len(last) - len(tail)
        return head + LEFT_OUT.format(left_out) + tail
