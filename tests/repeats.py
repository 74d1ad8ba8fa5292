"""How often a test that depends on chance is repeated: a little in each run, at length in `make nightly`."""

import os

NIGHTLY = os.environ.get("NIGHTLY") == "1"


def times(usual: int, *, nightly: int) -> int:
    """Mark a test that asks with `pytest.mark.nightly`."""
    return nightly if NIGHTLY else usual
