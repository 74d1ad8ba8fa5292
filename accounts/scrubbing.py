"""Keeps secrets out of every log: by their shape, by the name before them, and those of this installation by value.

Knows no Django: settings, the supervisor and the hooks of each process use it alike.
"""

import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

HIDDEN = "[hidden]"
# A shorter value stands in too many words that have nothing to do with it; one below `LONG` is hidden as a whole word.
SHORTEST, LONG = 6, 12

# Each looks back at one character at most and never twice at a long run, so that no line, however hostile, takes long.
_VALUE = (
    r""""(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?"""  # in quotes
    r"""|\\+"[^"\n]*"?|\\+'[^'\n]*'?"""  # in quotes that were quoted once more
)
_BARE = r"""[^\s"'&,;<>)\]}]+"""
_IS = r"""(?:\\*["'])?[ ]{0,3}[:=,][ ]{0,3}"""
_NAME = r"(?:token|passw(?:or)?d|passphrase|secret|api[_-]?key|account[_-]?key)[\w-]{0,24}"
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.ASCII), put)
    for pattern, put in (
        (r"-----BEGIN ([A-Z ]{0,20})PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,32}-----)?", HIDDEN),
        # Headers, as text and as Python or JSON shows them; the whole line of cookies goes.
        (rf"""((?<![a-z])authorization{_IS})(?:{_VALUE}|[^\n"'\\]+)""", rf"\1{HIDDEN}"),
        (rf"""(cookies?{_IS})(?:{_VALUE}|(?=[^\n]{{0,400}}=)[^\n"'\\]+)""", rf"\1{HIDDEN}"),
        (rf"((?<![\w-])(?:sessionid|csrftoken|csrfmiddlewaretoken)=){_BARE}", rf"\1{HIDDEN}"),
        (r"((?<![\w-])bearer[ ]{1,3})[\w.~+/=-]{16,}", rf"\1{HIDDEN}"),
        # token=…, "password": "…", and a line of YAML that ends with it.
        (rf"""({_NAME}(?:\\*["'])?[ ]{{0,3}}=[ ]{{0,3}})(?:{_VALUE}|{_BARE})""", rf"\1{HIDDEN}"),
        (rf"({_NAME}%3D)[^\s&\"'%]+(?:%(?!26)[^\s&\"'%]+)*", rf"\1{HIDDEN}"),
        (rf"""({_NAME}(?:\\*["'])?[ ]{{0,3}}:[ ]{{0,3}})(?:{_VALUE}|[^\s"']{{8,}}(?=[ ]*(?:\n|$)))""", rf"\1{HIDDEN}"),
    )
)
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.ASCII), put)
    for pattern, put in (
        (r"(?<![A-Za-z0-9])(cp[ts]_)[\w-]{16,}", rf"\1{HIDDEN}"),
        (r"(?<![\w-])ey[JAI][\w-]{8,}\.[\w-]{4,}\.[\w-]*", HIDDEN),
        (r"(?<![\w-])gAAAAA[\w-]{40,}={0,2}", HIDDEN),
        (r"(?<![\w$])(argon2\w{0,3}|pbkdf2_\w{3,8}|scrypt|bcrypt\w{0,8})\$[\w$,=+/.-]{20,}", rf"\1${HIDDEN}"),
        # Credentials of URLs: the password, however it is written; the user stays.
        (r"(://[^\s/:@\"'<>]{0,200}:)[^\s/\"'<>]+@", rf"\1{HIDDEN}@"),
        (r"(/guest/conversations/[^/\s\"']{1,200}/)[^/\s\"'?#]+", rf"\1{HIDDEN}"),
        (r"(/(?:invitation|reset)/[^/\s\"']{1,200}/)[^/\s\"'?#]+", rf"\1{HIDDEN}"),
    )
)

_SECRET_NAME = re.compile(r"(?:TOKEN|SECRET|PASSWORD|PASSWD|KEY|KEY_FALLBACKS)$", re.IGNORECASE)
_known: set[str] = set()
_by_value: re.Pattern[str] | None = None


def secrets_of(variables: Mapping[str, str]) -> set[str]:
    """Values of variables whose names tell that they are secret, and passwords in those that are URLs."""
    found = {value for name, value in variables.items() if _SECRET_NAME.search(name)}
    for value in variables.values():
        if "://" in value and "@" in value:
            found |= _passwords(value)
    return {part.strip() for secret in found for part in (secret, *secret.split(","))}


def _passwords(url: str) -> set[str]:
    try:
        password = urlsplit(url).password or ""
    except ValueError:  # the pattern of URLs hides it all the same
        return set()
    return {password, unquote(password)}


def know(secrets: Iterable[str]) -> None:
    """Hide these values too, as they stand and as URLs quote them, wherever they occur from now on."""
    global _by_value
    long = {secret for secret in secrets if len(secret) >= SHORTEST}
    _known.update(long, (quote(secret, safe="") for secret in long))
    # The longest first: one may begin with another.
    values = "|".join(map(_pattern, sorted(_known, key=len, reverse=True)))
    _by_value = re.compile(values) if values else None


def _pattern(secret: str) -> str:
    return re.escape(secret) if len(secret) >= LONG else rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])"


def scrub_shapes(text: str) -> str:
    """`text` without what looks like a secret of anybody's.

    For answers: one that hid a known value would tell whoever guesses it that the guess is right.
    """
    for pattern, put in _SHAPES:
        text = pattern.sub(put, text)
    return text


def scrub(text: str) -> str:
    """`text` without secrets, for logs."""
    if _by_value is not None:
        text = _by_value.sub(HIDDEN, text)
    for pattern, put in _RULES:
        text = pattern.sub(put, text)
    return scrub_shapes(text)


class Formatter(logging.Formatter):
    """Any format, without secrets: the message with its arguments, tracebacks and stacks."""

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


def _write(lines: Iterable[str]) -> None:
    if sys.stderr is not None:
        sys.stderr.write(scrub("".join(lines)))


def _uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    _write(traceback.format_exception(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is SystemExit:
        return
    name = args.thread.name if args.thread else "unknown"
    trace = traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
    _write([f"Exception in thread {name}:\n", *trace])


def _unraisable(args: "sys.UnraisableHookArgs") -> None:
    trace = traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
    _write([f"{args.err_msg or 'Exception ignored in'}: {args.object!r}\n", *trace])


def hook_exceptions() -> None:
    """Have this process tell of exceptions that nobody caught without secrets."""
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable
