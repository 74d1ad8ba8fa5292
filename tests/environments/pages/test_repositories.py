"""Repositories by forms: defined, changed, fetched from, removed; no page shows a credential."""

import pytest

from environments.models import Job, Repository
from tests.environments.actions.test_repositories import KNOWN_HOSTS, SSH, private_key
from tests.factories import BundleFactory, JobFactory, RepositoryFactory, take

PAGES = "/p/default/training/repositories/"
NEW = "/p/default/training/new-repository/"
TOKEN = "glpat-Secret.7Yx2mB0nQ"
FORM = {"name": "assistant", "url": "https://git.example.com/team/assistant.git", "ref": "main"}


@pytest.fixture
def assistant(project):
    made = RepositoryFactory.build(project=project, name="assistant", username="robot")
    made.token = TOKEN
    made.save()
    return made


def text_of(answer) -> str:
    assert answer.status_code == 200
    return answer.content.decode()


def test_one_is_defined_with_a_token_that_no_page_shows(ana_looks):
    made = ana_looks.post(NEW, FORM | {"token": f" {TOKEN}\r\n"})
    assert (made.status_code, made.url) == (302, f"{PAGES}assistant/")
    assert Repository.objects.get().token == TOKEN
    for path in (PAGES, f"{PAGES}assistant/"):
        shown = text_of(ana_looks.get(path))
        assert "assistant" in shown
        assert TOKEN not in shown


def test_a_key_comes_as_a_browser_sends_it(ana_looks):
    key = private_key()
    form = FORM | {"url": SSH, "ssh_key": key.replace("\n", "\r\n"), "known_hosts": f"{KNOWN_HOSTS}\r\n"}
    assert ana_looks.post(NEW, form).status_code == 302
    assert Repository.objects.get().ssh_key == key.strip()


def test_what_cannot_be_used_is_told_beside_the_form_without_its_secret(ana_looks):
    refused = ana_looks.post(NEW, FORM | {"url": "http://git.example.com/a.git", "token": TOKEN})
    shown = refused.content.decode()
    assert refused.status_code == 400
    assert "neither https:// nor ssh://" in shown
    assert "http://git.example.com/a.git" in shown
    assert TOKEN not in shown
    assert not Repository.objects.exists()


def test_a_change_keeps_the_token_unless_it_is_forgotten(ana_looks, assistant):
    assert ana_looks.post(f"{PAGES}assistant/", FORM | {"url": assistant.url, "ref": "next"}).status_code == 302
    assistant.refresh_from_db()
    assert (assistant.ref, assistant.token) == ("next", TOKEN)
    ana_looks.post(f"{PAGES}assistant/", FORM | {"url": assistant.url, "no_token": "on"})
    assistant.refresh_from_db()
    assert assistant.token == ""


def test_a_refused_change_is_told_beside_the_form(ana_looks, assistant):
    refused = ana_looks.post(f"{PAGES}assistant/", FORM | {"ref": "a..b"})
    assert refused.status_code == 400
    assert "names no branch, tag or commit" in refused.content.decode()


def test_a_fetch_is_queued_and_shown_with_its_end(ana_looks, assistant, sent, project):
    assert ana_looks.post(f"{PAGES}assistant/fetch/", {"ref": "v1.2"}).status_code == 302
    job = Job.objects.get()
    assert job.options == {"repository": assistant.pk, "ref": "v1.2"}
    assert f"Fetch {job.pk} of assistant is queued." in text_of(ana_looks.get(f"{PAGES}assistant/"))
    Job.objects.update(status="failed", error_detail="The repository has no branch, tag or commit v1.2.")
    assert "no branch, tag or commit v1.2" in text_of(ana_looks.get(f"{PAGES}assistant/"))
    bundle = BundleFactory(project=project, commit="3f2a1c9d" * 5)
    Job.objects.update(status="succeeded", error_detail="", bundle=bundle)
    assert f"/p/default/training/bundles/{bundle.pk}/" in text_of(ana_looks.get(PAGES))


def test_a_ref_that_is_none_is_told(ana_looks, assistant):
    ana_looks.post(f"{PAGES}assistant/fetch/", {"ref": "--upload-pack=x"})
    assert "names no branch" in text_of(ana_looks.get(f"{PAGES}assistant/"))
    assert not Job.objects.exists()


def test_progress_comes_to_an_open_page(ana_looks, assistant, project):
    options = {"repository": assistant.pk, "ref": "main"}
    JobFactory(
        project=project, kind="fetch", bundle=None, status="running", progress=0.4, step="fetching", options=options
    )
    shown = text_of(ana_looks.get("/p/default/training/fetches/"))
    assert 'hx-swap-oob="true"' in shown
    assert '<progress value="0.4" max="1"' in shown


def test_one_is_removed_after_a_question(ana_looks, assistant):
    assert "The bundles that came from it stay" in text_of(ana_looks.get(f"{PAGES}assistant/remove/"))
    assert ana_looks.post(f"{PAGES}assistant/remove/").status_code == 302
    assert ana_looks.get(f"{PAGES}assistant/").status_code == 404


def test_who_may_only_read_sees_the_form_switched_off(ben, ben_looks, assistant):
    take(ben, "training.write")
    shown = text_of(ben_looks.get(f"{PAGES}assistant/"))
    assert 'aria-disabled="true" title="This needs the grant training.write' in shown
    assert ben_looks.post(f"{PAGES}assistant/fetch/").status_code == 403
    assert ben_looks.get(NEW).status_code == 403
