"""`make bench`: a table of ratios. Exits 1 where a figure is below what is asked of it."""

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module

from tests.bench.table import Row, failed, text_of

GROUPS = ("polls", "steady", "transfers", "registry", "pages", "browser", "people", "queue", "jobs", "training", "rasa")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=GROUPS, help="this group of rows; may be repeated")
    parser.add_argument("--quick", action="store_true", help="smaller and shorter: the figures say less")
    return parser.parse_args()


def rows_of(group: str, *, quick: bool) -> Iterator[Row]:
    """What the group finds; one that breaks off is a row that says why."""
    try:
        yield from import_module(f"tests.bench.{group}").rows(quick=quick)
    except Exception as error:
        yield failed(group, error)


def progress(groups: Iterable[str], *, quick: bool) -> list[Row]:
    """The rows of all groups, told as they come."""
    found = []
    for group in groups:
        begun = time.monotonic()
        print(f"{group} …", file=sys.stderr, flush=True)
        for row in rows_of(group, quick=quick):
            found.append(row)
            print(f"  {time.monotonic() - begun:4.0f} s  {row.what}: {row.figure}", file=sys.stderr, flush=True)
    return found


def exit_status(rows: Sequence[Row]) -> int:
    return 1 if any(row.ok is False for row in rows) else 0


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
    options = arguments()
    rows = progress(options.only or GROUPS, quick=options.quick)
    print(text_of(rows))
    return exit_status(rows)


if __name__ == "__main__":
    sys.exit(main())
