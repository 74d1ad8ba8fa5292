"""The dashboard, the alert rules, docs/metrics.md and `/metrics` speak of the same metrics."""

import json
import re
import shutil
import subprocess

import pytest
import yaml
from django.utils import timezone

from environments import metric_families as families
from environments.metrics.installation import STEPS
from environments.models import Slot
from tests.live import ROOT
from tests.metrics import parsed

ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
CASES = ROOT / "tests" / "deploy" / "alert_tests.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
DOCUMENT = ROOT / "docs" / "metrics.md"
SERIES = re.compile(r"controlplane_\w+")
SELECTOR = re.compile(r"(controlplane_\w+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')


def rules():
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def panels():
    return json.loads(DASHBOARD.read_text())["panels"]


def queries():
    """The expressions of the dashboard, those of its variables too."""
    expressions = [target["expr"] for panel in panels() for target in panel.get("targets", [])]
    variables = json.loads(DASHBOARD.read_text())["templating"]["list"]
    return expressions + [variable["definition"] for variable in variables if "definition" in variable]


EXPRESSIONS = [rule["expr"] for rule in rules()] + queries()


@pytest.fixture
def told(as_ana, production, worker, experimental):
    """What an administrator is told where every series is there."""
    Slot.objects.bulk_create(Slot(name=step, due_at=timezone.now()) for step in STEPS)
    return as_ana.get("/metrics").content.decode()


@pytest.fixture
def series(told):
    return parsed(told)


def matches(labels, name, operator, wanted):
    value = labels.get(name, "")
    if operator in ("=", "!="):
        return (value == wanted) == (operator == "=")
    return bool(re.fullmatch(wanted, value)) == (operator == "=~")


def test_every_series_that_a_file_names_is_in_metrics(series):
    named = {name for expression in EXPRESSIONS for name in SERIES.findall(expression)}
    assert named - set(series) == set()


def test_every_metric_is_on_the_dashboard():
    shown = " ".join(queries())
    assert [family.name for family in families.FAMILIES if family.name not in shown] == []


def faults(expression, series):
    """What a selector asks for and nothing has: an alert on it would never fire."""
    for name, selectors in SELECTOR.findall(expression):
        matchers = MATCHER.findall(selectors)
        found = [dict(labels) for labels in series[name]]
        unknown = {label for label, _, _ in matchers if not all(label in labels for labels in found)}
        if unknown:
            yield f"{name} has no label {unknown}"
        chosen = [matcher for matcher in matchers if "$" not in matcher[2]]
        if not any(all(matches(labels, *matcher) for matcher in chosen) for labels in found):
            yield f"{name}{{{selectors}}} chooses nothing"
    for grouped in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
        labels = {label for name in SERIES.findall(expression) for found in series[name] for label, _ in found}
        lacking = {label.strip() for label in grouped.split(",")} - labels
        if lacking:
            yield f"{expression} has no label {lacking}"


def test_every_selector_chooses_something_and_what_is_aggregated_by_is_a_label(series):
    assert [fault for expression in EXPRESSIONS for fault in faults(expression, series)] == []


def test_a_misspelt_selector_would_be_found(series):
    assert list(faults('max by (place) (controlplane_replicas{state="stock"})', series)) != []
    assert list(faults('max by (state) (controlplane_replicas{state="stuck"})', series)) == []


def test_alerts_say_how_bad_it_is_and_what_to_do():
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) >= 15
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert {"summary", "description"} == set(rule["annotations"])


def test_each_alert_is_tried_where_it_fires_and_where_it_does_not():
    tried = [case for test in yaml.safe_load(CASES.read_text())["tests"] for case in test["alert_rule_test"]]
    fires = {case["alertname"] for case in tried if case.get("exp_alerts")}
    stays = {case["alertname"] for case in tried if not case.get("exp_alerts")}
    names = {rule["alert"] for rule in rules()}
    assert fires == names
    assert names - stays == {"ReplicaStuck"} or stays == names


def promtool(*arguments, **options):
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, **options)


@pytest.mark.promtool
def test_prometheus_takes_the_rules():
    checked = promtool("check", "rules", str(ALERTS))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.promtool
def test_prometheus_fires_each_alert_when_it_should(tmp_path):
    for path in (ALERTS, CASES):
        shutil.copy(path, tmp_path)
    tested = promtool("test", "rules", CASES.name, cwd=tmp_path)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.promtool
def test_prometheus_reads_the_metrics_and_finds_no_fault_with_their_names(told):
    checked = promtool("check", "metrics", input=told)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@pytest.mark.promtool
def test_prometheus_can_read_every_query_of_the_dashboard(tmp_path):
    expressions = [expression for expression in queries() if not expression.startswith("label_values")]
    plain = [re.sub(r"\$__(rate_interval|range)", "5m", expression) for expression in expressions]
    recorded = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(plain)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))
    checked = promtool("check", "rules", str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_panels_have_ids_of_their_own_and_lie_beside_each_other():
    assert len({panel["id"] for panel in panels()}) == len(panels())
    taken = set()
    for panel in panels():
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_dashboard_asks_the_source_that_is_chosen():
    sources = {target["datasource"]["uid"] for panel in panels() for target in panel.get("targets", [])}
    assert sources == {"${datasource}"}


def documented():
    """Name, kind, labels of each row of the tables."""
    rows = re.findall(r"^\| `(controlplane_\w+)` \| (\w+) \| ([^|]*) \|", DOCUMENT.read_text(), flags=re.MULTILINE)
    return {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def test_every_metric_is_documented_with_its_kind_and_labels():
    assert documented() == {family.name: (family.kind, family.labels) for family in families.FAMILIES}


def test_every_alert_is_documented():
    assert re.findall(r"^\| `(\w+)` \| (?:critical|warning) \|", DOCUMENT.read_text(), flags=re.MULTILINE) == [
        rule["alert"] for rule in rules()
    ]


def test_the_values_of_labels_are_documented(series):
    """Those that are words of the product, not names of things."""
    names = {"environment", "project", "model", "le"}
    words = {value for found in series.values() for labels in found for label, value in labels if label not in names}
    text = DOCUMENT.read_text()
    assert {word for word in words if f"`{word}`" not in text} == set()
