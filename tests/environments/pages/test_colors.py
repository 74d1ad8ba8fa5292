"""Environment colours stay readable on light and dark ground, whatever was declared."""

import re

from hypothesis import given
from hypothesis import strategies as st

from environments.pages import colors

COLORS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@given(COLORS)
def test_every_colour_is_readable_on_both_grounds(color):
    assert colors.contrast(colors.readable(color, colors.LIGHT_GROUND), colors.LIGHT_GROUND) >= 4.5
    assert colors.contrast(colors.readable(color, colors.DARK_GROUND), colors.DARK_GROUND) >= 4.5


def test_a_readable_colour_is_left_as_it_was():
    assert colors.readable("#0e7490", colors.LIGHT_GROUND) == "#0e7490"


def test_the_stylesheet_has_a_rule_for_each_colour(client, production, experimental):
    answer = client.get("/environments.css")
    assert answer.headers["Content-Type"] == "text/css"
    assert set(re.findall(r"\.(env-\w+)", answer.content.decode())) == {"env-0e7490", "env-7c3aed"}
    again = client.get("/environments.css", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
