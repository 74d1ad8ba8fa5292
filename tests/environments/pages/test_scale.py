"""Pages and lists cost the same after years: as many queries for 300 models as for 3, and no model's metadata."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.bench import seeds

SHOWN = [
    "/p/default/",
    "/p/default/models/",
    "/p/default/history/",
    "/p/default/environments/production/",
    "/api/v1/models/",
    "/api/v1/environments/",
    "/api/v1/environments/production/promotions/",
]


def queries(client, path) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return [query["sql"] for query in captured.captured_queries]


@pytest.fixture
def installation(production, experimental, worker, ana_looks):
    """Somebody looked before: what is remembered for a session is read already."""
    ana_looks.get("/p/default/")
    return production


@pytest.mark.parametrize("path", SHOWN)
def test_as_many_queries_for_300_models_as_for_3(ana_looks, installation, path):
    seeds.many(models=3, history=9, tags=3)
    few = queries(ana_looks, path)
    seeds.many(models=300, history=900, tags=100, start=3)
    many = queries(ana_looks, path)
    assert len(many) == len(few), "\n".join(many)


@pytest.mark.parametrize("path", SHOWN)
def test_no_list_reads_the_metadata_of_models(ana_looks, installation, path):
    seeds.many(models=3, history=9, tags=3)
    assert not [sql for sql in queries(ana_looks, path) if '"metadata"' in sql]
