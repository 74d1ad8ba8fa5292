"""What a program prints becomes lines of text: harmless, without secrets, never more than can be stored."""

import time

import pytest

from workers import output
from workers.output import Output, harmless

SECRET = "cpt_" + "s3cret" * 6


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m alert", "red alert"),
        ("\x1b]0;a title\x07text\x1b]8;;http://x\x1b\\", "text"),
        ("a\x1b(Bb\x1bcc\x1b", "abc"),
        ("Epoch 1/3\rEpoch 2/3\rEpoch 3/3\nnext", "Epoch 3/3\nnext"),
        ("Epoch 3/3\r\nnext\r\n", "Epoch 3/3\nnext\n"),
        ("bell \x07 null \x00 next line \x85", "bell \ufffd null \ufffd next line \ufffd"),
        ("evil\u202egnp.exe", "evil\ufffdgnp.exe"),
        ("half \ud83e of it", "half \ufffd of it"),
        ("tab\tand Grüße 🦦", "tab\tand Grüße 🦦"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
def test_no_control_reaches_whoever_reads(printed, shown):
    assert harmless(printed) == shown


def test_whole_lines_are_taken_so_that_no_secret_is_cut_in_two():
    waiting = Output()
    waiting.add(f"token={SECRET[:10]}")
    assert waiting.take() == ""
    waiting.add(f"{SECRET[10:]}\nnext")
    assert SECRET[10:] not in (taken := waiting.take())
    assert taken.startswith("token=[hidden]")
    assert waiting.take(all_of_it=True) == "next"
    assert waiting.take(all_of_it=True) == ""


def test_a_line_that_does_not_end_is_taken_in_parts():
    waiting = Output()
    waiting.add("x" * (output.LONGEST_LINE + 1))
    assert len(waiting.take()) == output.LONGEST_LINE + 1


def test_what_comes_faster_than_it_can_be_stored_loses_its_middle_and_says_so():
    waiting = Output()
    for number in range(200_000):
        waiting.add(f"line {number}\n")
    lines = waiting.take().splitlines()
    assert (lines[0], lines[-1]) == ("line 0", "line 199999")
    told = next(line for line in lines if "left out" in line)
    whole = [line for line in lines if line is not told]
    assert all(line.startswith("line ") for line in whole)
    missing = sum(len(f"line {number}\n") for number in range(200_000)) - sum(len(line) + 1 for line in whole)
    assert told == f"[… {missing} characters were left out …]"


def test_a_gigabyte_costs_neither_memory_nor_much_time():
    waiting, block = Output(), "y" * 999_999 + "\n"
    began = time.monotonic()
    for _ in range(1000):
        waiting.add(block)
    assert len(waiting.take(all_of_it=True)) <= output.MOST_WAITING + 100
    assert time.monotonic() - began < 20
