"""The page of a bundle: what is in it, where it came from, what it changes, what was trained from it."""

import io

import pytest

from environments import stores
from environments.actions.bundles import Source
from environments.receiving import receive_bundle
from tests.environments.pages.conftest import signed_in
from tests.factories import BundleFactory, ProjectFactory, RepositoryFactory, TrainedModelFactory, UserFactory, give
from tests.projects import tree, zipped

HEY = "nlu: [{intent: greet, examples: '- hey'}, {intent: faq, examples: '- what'}]"


@pytest.fixture
def later(project, by_ana, bundle):
    """One that came after `bundle`, from a repository."""
    repository = RepositoryFactory(project=project, name="assistant")
    source = Source("3f2a1c9d" * 5, "Ana Otter <ana@example.com>", "Hear hey", "main", repository)
    stream = io.BytesIO(zipped(tree(data__more=HEY)))
    return receive_bundle(project=project, stream=stream, by=by_ana, source=source).bundle


def at(bundle, more: str = "") -> str:
    return f"/p/default/training/bundles/{bundle.pk}/{more}"


def text_of(answer) -> str:
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_says_where_it_came_from_and_what_is_odd(ana_looks, later):
    shown = text_of(ana_looks.get(at(later)))
    for said in ("Hear hey", "3f2a1c9d", "Ana Otter &lt;ana@example.com&gt;", "assistant", "data/more.yml"):
        assert said in shown
    assert "data/more.yml:1: The intent faq is not in the domain." in shown


def test_it_says_what_was_trained_from_it(ana_looks, later, project):
    assert "None yet." in text_of(ana_looks.get(at(later)))
    TrainedModelFactory(project=project, name="brisk-otter", bundle=later)
    assert "brisk-otter" in text_of(ana_looks.get(at(later)))


def test_it_is_compared_with_the_one_before_unless_another_is_named(ana_looks, bundle, later):
    shown = text_of(ana_looks.get(at(later)))
    assert f'<option value="{bundle.pk}" selected>' in shown
    assert "+ 1 examples" not in shown
    compared = text_of(ana_looks.get(at(later, f"?against={bundle.pk}")))
    assert "hey" in compared
    part = text_of(ana_looks.get(at(later, f"changes/?against={bundle.pk}")))
    assert "<html" not in part
    assert "faq" in part
    assert "Nothing that is trained from differs" in text_of(ana_looks.get(at(later, f"changes/?against={later.pk}")))


def test_a_comparison_with_bytes_that_are_gone_says_so(ana_looks, bundle, later):
    stores.bundles().delete(bundle.hash)
    assert 'data-problem="bundle-damaged"' in text_of(ana_looks.get(at(later, f"?against={bundle.pk}")))


def test_who_may_only_read_sees_why_training_is_off(later, project):
    reader = UserFactory(username="reader")
    give(reader, project, "training.read")
    shown = text_of(signed_in(reader).get(at(later)))
    assert 'aria-disabled="true" title="This needs the grant training.write' in shown


def test_a_bundle_of_another_project_is_not_there(ana_looks, project):
    foreign = BundleFactory(project=ProjectFactory(name="banking"))
    assert ana_looks.get(at(foreign)).status_code == 404


def test_a_model_says_from_which_data_it_came(ana_looks, later, project):
    TrainedModelFactory(project=project, name="brisk-otter", bundle=later)
    shown = text_of(ana_looks.get("/p/default/models/brisk-otter/"))
    assert at(later) in shown
    assert "Hear hey" in shown


def test_bundles_are_listed_on_the_training_page(ana_looks, later):
    assert at(later) in text_of(ana_looks.get("/p/default/training/"))
