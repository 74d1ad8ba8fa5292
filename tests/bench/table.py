"""What a benchmark found, as rows of a Markdown table."""

from collections.abc import Sequence
from dataclasses import dataclass

HEADS = ("what", "measured", "compared with", "figure", "asked", "ok")


@dataclass(frozen=True)
class Row:
    """`ok` is None where nothing is asked: information, or a comparison that this machine cannot make. `note` says
    why a figure is far off, or missing."""

    what: str
    measured: str = ""
    against: str = ""
    figure: str = ""
    asked: str = ""
    ok: bool | None = None
    note: str = ""

    def cells(self) -> tuple[str, ...]:
        return (self.what, self.measured, self.against, self.figure, self.asked, verdict(self.ok))


def verdict(ok: bool | None) -> str:
    return {True: "yes", False: "NO", None: ""}[ok]


def at_least(what: str, figure: float, asked: float, *, measured: str = "", against: str = "", note: str = "") -> Row:
    return Row(what, measured, against, f"{figure:.2f}", f"≥ {asked:g}", figure >= asked, note)


def at_most(
    what: str, figure: float, asked: float, *, unit: str = "", measured: str = "", against: str = "", note: str = ""
) -> Row:
    shown = f"{figure:.0f}{unit}" if figure >= 100 else f"{figure:.3g}{unit}"
    return Row(what, measured, against, shown, f"≤ {asked:g}{unit}", figure <= asked, note)


def skipped(what: str, reason: str) -> Row:
    return Row(what, figure="not measured", note=reason)


def failed(what: str, error: Exception) -> Row:
    return Row(what, figure="not measured", ok=False, note=f"{type(error).__name__}: {error}")


def text_of(rows: Sequence[Row]) -> str:
    """The table, and under it the notes."""
    lines = [HEADS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    table = [f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |" for line in lines]
    table.insert(1, f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    notes = [f"- {row.what}: {row.note}" for row in rows if row.note]
    return "\n".join([*table, *(["", *notes] if notes else [])])
