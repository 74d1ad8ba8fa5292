"""Why Rasa ended without what it was run for, in its own words: out of the last it printed. Pure; Rasa 3.6.21."""

import re

from workers.runtimes.lines import plain

MAX_REASON = 4000
MAX_SHOWN = 200
UNKNOWN = "Rasa ended without saying why; the log has its last words."

# Rasa prints its own errors in red.
_RED = re.compile(r"\x1b\[91m(.*?)\x1b\[0m", re.DOTALL)
_TRACEBACK = "Traceback (most recent call last):"
# Bare names that Python puts before a message, which add nothing for who wrote the data.
_PLAIN = frozenset({"Exception", "RasaException", "ValueError", "RuntimeError"})

# The machine is at fault, whoever wrote the data.
_FULL = re.compile(r"No space left on device|Disk quota exceeded|\[Errno 28\]|\[Errno 122\]")
_MEMORY = re.compile(
    r"\bMemoryError\b|Cannot allocate memory|std::bad_alloc|ResourceExhaustedError|OOM when allocating"
)


def reason(last_words: bytes) -> str:
    """A sentence or a few lines; `UNKNOWN` where there is nothing of the kind."""
    text = last_words.decode(errors="replace").replace("\r", "\n")
    found = _RED.findall(text)
    said = plain(found[-1]) if found else _of_traceback(plain(text))
    said = "\n".join(line.rstrip() for line in said.strip().splitlines() if line.strip())
    return said[:MAX_REASON] or UNKNOWN


def with_lines(reason: str, name: str, document: bytes) -> str:
    """The reason with the text of each line that it names as `name:17`: nobody wrote the document itself."""
    lines = document.decode(errors="replace").splitlines()

    def shown(place: re.Match[str]) -> str:
        number = int(place[1])
        text = lines[number - 1].strip()[:MAX_SHOWN] if 0 < number <= len(lines) else ""
        return f"{place[0]} ({text})" if text else place[0]

    return re.sub(rf"\b{re.escape(name)}:(\d{{1,9}})\b", shown, reason)[:MAX_REASON]


def _of_traceback(text: str) -> str:
    """What follows the frames of the last traceback, which are indented: the exception and what it says."""
    _, begun, frames = text.rpartition(_TRACEBACK)
    lines = frames.splitlines() if begun else []
    at = next((index for index, line in enumerate(lines) if line.strip() and not line.startswith(" ")), None)
    if at is None:
        return ""
    first, *others = lines[at:]
    name, colon, message = first.partition(": ")
    short = name.rpartition(".")[2]
    first = message if short in _PLAIN and message else f"{short}{colon}{message}"
    return "\n".join([first, *others])


def is_full_disk(last_words: bytes) -> bool:
    return bool(_FULL.search(last_words.decode(errors="replace")))


def is_want_of_memory(last_words: bytes) -> bool:
    return bool(_MEMORY.search(last_words.decode(errors="replace")))
