"""Every component of the pages on one page, for who builds pages; there only where `STYLEGUIDE` is on."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from environments.pages import charts
from environments.pages.charts import Point
from environments.templatetags.pages import SIGNS

COLORS = ("#0e7490", "#7c3aed", "#64748b")
TAKEN = (41, 39, 44, 9, 61, 38)


def styleguide(request: HttpRequest) -> HttpResponse:
    if not settings.STYLEGUIDE:
        raise Http404
    points = [Point(f"model-{number}", seconds, f"{seconds} s") for number, seconds in enumerate(TAKEN, start=1)]
    context = {
        "signs": [key.split("-", 1) for key in SIGNS if not key.startswith("verdict-")],
        "colors": COLORS,
        "bars": charts.bars("Bars", "Model", "Seconds", points),
        "line": charts.line("Line", "Model", "Seconds", points),
    }
    return render(request, "styleguide.html", context)
