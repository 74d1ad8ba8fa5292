"""The browsable API works under the strict Content-Security-Policy, in a real browser."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

from tests import services


@pytest.mark.chromium
@pytest.mark.django_db(transaction=True)
def test_the_page_shows_every_family_and_asks_no_other_host(live_server):
    complaints, hosts = [], set()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=services.browser(), args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.goto(f"{live_server.url}/api/docs/")
        page.get_by_text("/api/v1/environments/{name}/rollback/").wait_for()
        page.locator("#operations-Native-post_api_v1_environments_by_name_promotions").click()
        page.get_by_text("Promote a model to the environment").first.wait_for()
        assert page.get_by_text("/api/models/tags/{tag}", exact=True).count()
        browser.close()
    hosts.discard("")
    assert hosts == {urlsplit(live_server.url).netloc}
    assert complaints == []
