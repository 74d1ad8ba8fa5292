"""Where the marks of a chart stand, and what the charts of the pages tell of."""

from datetime import timedelta

import pytest
from django.utils import timezone

from environments.models import Job, Promotion
from environments.pages import charts
from environments.pages.charts import FLOOR, TOP, Point
from tests.factories import EvaluationFactory, TrainedModelFactory


def points(*values):
    return [Point(f"n{number}", value, f"{value} s") for number, value in enumerate(values)]


def test_the_largest_bar_reaches_the_top_and_half_of_it_the_middle():
    chart = charts.bars("Title", "Name", "Took", points(50, 100))
    half, whole = chart.marks
    assert (whole.y, whole.y + whole.height) == (TOP, FLOOR)
    assert half.height == whole.height / 2
    assert chart.high == "100 s"


@pytest.mark.parametrize("values", [(0,), (0, 0), (5,), (1, 1e9), tuple(range(30))])
@pytest.mark.parametrize("draw", [charts.bars, charts.line])
def test_every_mark_can_be_seen_and_stands_inside(draw, values):
    chart = draw("Title", "Name", "Took", points(*values))
    for mark in chart.marks:
        assert mark.height >= 2
        assert TOP <= mark.y < FLOOR
        assert mark.x >= 0
        assert mark.x + mark.width <= chart.width + 0.1


def test_a_line_stands_between_the_least_and_the_largest():
    chart = charts.line("F1", "Model", "F1", points(0.8, 0.9, 0.85))
    assert (chart.low, chart.high) == ("0.8 s", "0.9 s")
    assert [mark.y for mark in chart.marks][1] == TOP
    assert len(chart.lines) == 2


def test_without_points_there_is_no_chart():
    assert not charts.bars("Title", "Name", "Took", [])
    assert not charts.line("Title", "Name", "Took", [])


def test_what_is_seen_at_a_glance_is_said():
    assert charts.bars("Took", "Name", "Took", points(1, 2)).said == "Took, from n0: 1 s to n1: 2 s"


def figures(client, path):
    """The charts of a page, each with its table."""
    html = client.get(path).content.decode()
    return html.count('<svg viewBox="0 0 '), html.count("As a table"), html


def test_an_environment_tells_how_long_its_promotions_took(ana_looks, replaced, production):
    now = timezone.now()
    Promotion.objects.update(status="succeeded", created_at=now - timedelta(seconds=41), finished_at=now)
    Promotion.objects.filter(pk=replaced.pk).update(status="failed")
    drawn, tables, html = figures(ana_looks, "/p/default/environments/production/")
    assert (drawn, tables) == (1, 1)
    assert 'class="mark bad"' in html
    assert "failed after 41 s" in html


def test_the_history_counts_promotions_by_week(ana_looks, replaced):
    Promotion.objects.filter(pk=replaced.pk - 1).update(created_at=timezone.now() - timedelta(weeks=2))
    drawn, tables, html = figures(ana_looks, "/p/default/history/")
    assert (drawn, tables) == (1, 1)
    assert html.count("0 promotions") == 2  # the mark and the row of the week between


def test_evaluations_are_drawn_by_when_their_models_were_trained(ana_looks, otter, heron):
    for model in (otter, heron):
        EvaluationFactory(project=otter.project, model=model)
    EvaluationFactory(project=otter.project, model=TrainedModelFactory(project=otter.project), intents=None)
    drawn, tables, html = figures(ana_looks, "/p/default/evaluations/")
    assert (drawn, tables) == (1, 1)
    assert html.count('<g class="mark ') == 2


def test_trainings_tell_how_long_they_took(ana_looks, project, production):
    now = timezone.now()
    for seconds in (90, 250):
        Job.objects.create(
            project=project,
            kind="training",
            by_name="ben",
            status="succeeded",
            started_at=now - timedelta(seconds=seconds),
            finished_at=now,
        )
    drawn, tables, html = figures(ana_looks, "/p/default/training/")
    assert (drawn, tables) == (1, 1)
    assert "4 min 10 s" in html


def test_one_mark_is_no_chart(ana_looks, promoted):
    assert figures(ana_looks, "/p/default/history/")[0] == 0
