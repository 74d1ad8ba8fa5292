"""One search over what a project has; what one may not see is not found."""

import pytest

from accounts.models import Project
from environments.models import Job
from tests.environments.pages.conftest import signed_in
from tests.factories import EnvironmentFactory, TrainedModelFactory, UserFactory, give

SEARCH = "/p/default/search/"


@pytest.fixture
def found(ana_looks, production, experimental, otter):
    """What ana finds, as the text of the page."""
    return lambda text, **more: ana_looks.get(SEARCH, {"q": text}, **more).content.decode()


def test_models_environments_jobs_and_people_are_found(found, project, ben):
    job = Job.objects.create(project=project, kind="training", by_name="ben", model_name="brisk-heron")
    html = found("b")
    assert "/p/default/models/brisk-otter/" in html
    assert f"/p/default/training/jobs/{job.pk}/" in html
    assert "/p/default/access/users/ben/" in html
    assert "/p/default/environments/production/" in found("PROD").split("<main")[1]


@pytest.mark.parametrize("spelled", ["{}", "job {}", "#{}"])
def test_a_job_is_found_by_its_number(found, project, spelled):
    job = Job.objects.create(project=project, kind="training", by_name="ben")
    assert f"/p/default/training/jobs/{job.pk}/" in found(spelled.format(job.pk))


def test_a_model_is_found_by_the_beginning_of_its_hash_and_by_its_tag(found, otter):
    assert "models/brisk-otter/" in found(otter.hash[:9])
    otter.tags.create(project=otter.project, name="nightly")
    assert "models/brisk-otter/" in found("nightly")


def test_what_one_may_not_see_is_not_found(project, production, otter, ana):
    give(UserFactory(username="olga"), project, "environments.read")
    olga = signed_in(UserFactory._meta.model.objects.get(username="olga"))
    html = olga.get(SEARCH, {"q": "a"}).content.decode().split("<main")[1]
    assert "environments/production/" not in html.split("</form>")[0]
    assert "models/brisk-otter/" not in html
    assert "access/users/" not in html


def test_another_projects_things_are_not_found(found):
    other = Project.objects.create(name="banking")
    TrainedModelFactory(project=other, name="banking-otter")
    EnvironmentFactory(project=other, name="production-of-banking")
    assert "banking" not in found("otter").split("<main")[1]
    assert "of-banking" not in found("production").split("<main")[1]


def test_the_field_is_answered_by_a_list_alone(found):
    html = found("otter", headers={"HX-Request": "true"})
    assert "models/brisk-otter/" in html
    assert "<html" not in html
    assert found("", headers={"HX-Request": "true"}).strip() == ""


def test_nothing_found_says_what_can_be_looked_for(found):
    assert "A part of a name is enough" in found("zebra")


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "%", "_", "9" * 40, "٣", "x" * 5000, "\u202eelur", "😀"])
def test_odd_text_is_shown_as_text(found, text):
    html = found(text)
    assert "<script>alert" not in html
    assert "Search" in html


def test_the_list_is_short_and_leads_to_all(found, project):
    for number in range(30):
        TrainedModelFactory(project=project, name=f"otter-{number:02}")
    html = found("otter", headers={"HX-Request": "true"})
    assert html.count("/models/otter-") == 5
    assert "/p/default/models/?q=otter" in html


def test_as_many_queries_however_much_there_is(ana_looks, project, otter, django_assert_max_num_queries):
    for number in range(40):
        TrainedModelFactory(project=project, name=f"otter-{number:02}")
        UserFactory(username=f"otter-{number:02}")
    with django_assert_max_num_queries(22):
        ana_looks.get(SEARCH, {"q": "otter"})
