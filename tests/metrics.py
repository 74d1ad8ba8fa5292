"""Read what `/metrics` said."""

from prometheus_client.parser import text_string_to_metric_families

Values = dict[str, dict[frozenset[tuple[str, str]], float]]


def parsed(text: str) -> Values:
    """By the name of each series, then by its labels."""
    values: Values = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return values


def value(text: str, name: str, **labels: str) -> float:
    return parsed(text)[name][frozenset(labels.items())]
