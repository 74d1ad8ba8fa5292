"""Metrics from the numbers that belong to their labels."""

from collections.abc import Iterable, Mapping
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from environments.metric_families import INFINITY, SUM, Family

Labels = tuple[str, ...]
Samples = Iterable[tuple[Labels, float]]


def gauge(family: Family, samples: Samples) -> Metric:
    metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for labels, value in samples:
        metric.add_metric(labels, value)
    return metric


def counter(family: Family, samples: Samples) -> Metric:
    metric = CounterMetricFamily(family.name, family.help, labels=family.labels)
    for labels, value in samples:
        metric.add_metric(labels, value)
    return metric


def histogram(family: Family, samples: Iterable[tuple[Labels, Mapping[str, float]]]) -> Metric:
    """Of each its buckets, not yet added up, by their upper bound, and the sum."""
    metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    bounds = [*(f"{bound:g}" for bound in family.buckets), INFINITY]
    for labels, values in samples:
        heights = accumulate(values.get(bound, 0.0) for bound in bounds)
        metric.add_metric(labels, list(zip(bounds, heights, strict=True)), values.get(SUM, 0.0))
    return metric
