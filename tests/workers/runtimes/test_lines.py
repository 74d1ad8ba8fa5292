"""What a program prints becomes lines, bounded whatever it prints."""

import random
from pathlib import Path

import pytest

from workers.runtimes import lines
from workers.runtimes.lines import MAX_LINE, Line, Lines, Printed

PRINTED = (Path(__file__).parents[2] / "data" / "rasa-train.log").read_bytes()


def cut(*pieces: bytes) -> list[Line]:
    found = Lines()
    return [line for piece in pieces for line in found.feed(piece)] + list(found.rest())


def kept(printed: Printed, *pieces: bytes) -> list[str]:
    return [line.text for piece in pieces for line in printed.feed(piece)] + [line.text for line in printed.rest()]


def test_lines_and_the_states_of_a_bar_are_told_apart():
    assert cut(b"a\nb", b"c\n\r10%\r20%\rdone\nlast") == [
        Line("a", False),
        Line("bc", False),
        Line("10%", True),
        Line("20%", True),
        Line("done", False),
        Line("last", False),
    ]


def test_it_does_not_matter_how_it_is_cut_into_pieces():
    chance, at, pieces = random.Random(5), 0, []
    while at < len(PRINTED):
        size = chance.randrange(1, 500)
        pieces.append(PRINTED[at : at + size])
        at += size
    assert cut(*pieces) == cut(PRINTED)


def test_colours_and_controls_are_taken_off_and_bad_bytes_replaced():
    assert cut(b"\x1b[91mInvalid\x00Rule\x1b[0m \xff\n") == [Line("InvalidRule \ufffd", False)]


def test_a_line_that_does_not_end_is_cut_and_the_next_one_is_whole():
    first, second = cut(*[b"x" * 5000] * 100, b"\nnext\n")
    assert first.text == "x" * MAX_LINE + " […]"
    assert second.text == "next"


def test_what_libraries_say_of_their_age_is_left_out():
    text = "\n".join(kept(Printed(), PRINTED))
    assert "DeprecationWarning" not in text
    assert "declare_namespace(pkg)" not in text
    assert "Starting to train component 'DIETClassifier'" in text
    assert "constrain_similarities is set to `False`" in text


def test_past_the_limit_only_the_end_is_kept(monkeypatch):
    monkeypatch.setattr(lines, "MAX_LOG", 1000)
    printed = Printed()
    texts = kept(printed, *[b"line %d\n" % number for number in range(100_000)])
    assert sum(map(len, texts)) < lines.MAX_LOG + lines.LAST_WORDS + 200
    assert texts[0] == "line 0"
    assert texts[-1] == "line 99999"
    assert any("bytes of output are left out" in text for text in texts)
    assert len(printed.last_words) == lines.LAST_WORDS


@pytest.mark.parametrize("nothing", [(), (b"",), (b"\n\n \r\r",)])
def test_nothing_is_no_line(nothing):
    assert cut(*nothing) == []
