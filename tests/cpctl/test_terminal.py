"""On a terminal a line that is drawn anew, elsewhere plain lines; standard output holds the result alone."""

import io
import os
import pty
import re
import subprocess
import sys

import pytest

from cpctl.terminal import Terminal, clean, size, table


class Screen(io.StringIO):
    def isatty(self):
        return True


def shown(act, *, live=True, **environ):
    err, out = (Screen() if live else io.StringIO()), io.StringIO()
    act(Terminal(out, err, {"TERM": "xterm", **environ}))
    return out.getvalue(), err.getvalue()


def test_a_bar_is_drawn_in_place_and_taken_away():
    def act(terminal):
        terminal.progress("training", 0.5)
        terminal.say("a word")
        terminal.done()
        terminal.result("otter")

    out, err = shown(act)
    bar = "[############............] training 50%"
    assert err == f"\r\x1b[K{bar}\r\x1b[Ka word\n{bar}\r\x1b[K"
    assert out == "otter\n"


def test_elsewhere_only_news_are_told_each_on_a_line():
    def act(terminal):
        for share in (0.1, 0.2, 0.3):
            terminal.progress("training", share)
        terminal.progress("packing", None)
        terminal.transfer("sending", 0.5)
        terminal.done()

    assert shown(act, live=False)[1] == "training 10%\npacking\n"


@pytest.mark.parametrize(("environ", "colored"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)])
def test_no_color_is_heeded(environ, colored):
    assert ("\x1b[31m" in shown(lambda terminal: terminal.say("no", "red"), **environ)[1]) is colored


def test_a_dumb_terminal_gets_plain_lines():
    assert "\x1b" not in shown(lambda terminal: terminal.progress("training", 0.1), TERM="dumb")[1]


def test_control_characters_of_others_are_made_visible():
    assert clean("a\x1b[2Jb\x9bc\r\nd\te") == "a�[2Jb�c\nd\te"


def test_bytes_are_told_as_people_read_them():
    assert [size(count) for count in (0, 999, 1000, 25_300_000, 2e9)] == ["0 B", "999 B", "1.0 kB", "25.3 MB", "2.0 GB"]


def test_columns_are_as_wide_as_what_is_in_them():
    assert table(("A", "B"), [("long-one", "x")]) == "A         B\nlong-one  x"


def on_a_terminal(cpctl, *arguments, **environ):
    """What a person sees; (status, all that came to the terminal)."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cpctl", *map(str, arguments)],
        cwd=cpctl.folder,
        env={**cpctl.environ, "TERM": "xterm", **environ},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    seen = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # The other end is closed.
            break
        if not piece:
            break
        seen += piece
    os.close(master)
    return process.wait(), seen.decode()


def test_a_promotion_on_a_terminal_shows_a_bar_and_leaves_no_rest_of_it(cpctl, archive, serving):
    cpctl("models", "push", archive("terminal-otter"))
    with serving("experimental", "rasa-1"):
        status, seen = on_a_terminal(cpctl, "promote", "terminal-otter", "experimental", "--wait")
    assert status == 0, seen
    assert re.search(r"\r\x1b\[K\[[#.]{24}\] experimental: \d of 1 replicas serve it", seen)
    assert "\x1b[32msucceeded" in seen
    assert seen.endswith("experimental: terminal-otter\r\n")


def test_a_refusal_on_a_terminal_is_red_and_without_color_plain(cpctl):
    status, seen = on_a_terminal(cpctl, "promote", "nobody", "production")
    assert (status, seen.startswith("\x1b[31mcpctl: ")) == (1, True)
    assert "\x1b" not in on_a_terminal(cpctl, "promote", "nobody", "production", NO_COLOR="1")[1]


def test_a_password_is_typed_unseen(cpctl, control_plane):
    del cpctl.environ["CPCTL_TOKEN"]
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cpctl", "login", "--username", "admin"],
        cwd=cpctl.folder,
        env={**cpctl.environ, "TERM": "xterm"},
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )
    os.close(slave)
    password = (control_plane.home / "initial-admin-password").read_text().strip()
    assert process.stderr.read(19) == b"Password of admin: "
    os.write(master, f"{password}\n".encode())
    out, err = process.communicate(timeout=60)
    os.close(master)
    assert process.returncode == 0, err
    assert password.encode() not in out + err
    assert out.startswith(b"signed in at ")
