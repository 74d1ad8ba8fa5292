"""What people do at the pages before a stock Rasa server: bring back the model of last Tuesday in at most five clicks,
and read afterwards what was said to the bot, what it understood, and which model answered."""

import re
from datetime import UTC, datetime, time, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from environments.clients.rasa import RasaClient
from tests import live
from tests.browser.conftest import PASSWORD, WIDE, Watched, sign_in
from tests.browser.conftest import browser as browser  # a fixture
from tests.flows.test_real_rasa import DOCUMENT

pytestmark = [pytest.mark.rasa, pytest.mark.chromium]

CLICKS = 5
PULL_INTERVAL = 2
DECLARATION = f"""
rasa:
  production:
    url: {{url}}
    pull_interval: {PULL_INTERVAL}
"""
SNIPPET = """
from environments.models import Environment
from environments.pages import connect
environment = Environment.objects.get(name="production")
print(connect.snippets(environment, "{url}", show_token=False).endpoints, end="")
"""
PAST = """
from datetime import datetime
from environments.models import Promotion, Proof
moved = datetime.fromisoformat("{at}") - Promotion.objects.get(pk={pk}).created_at
for row in [Promotion.objects.get(pk={pk}), *Proof.objects.filter(promotion={pk})]:
    for name in ("created_at", "finished_at", "first_at", "proved_at"):
        if hasattr(row, name):
            setattr(row, name, getattr(row, name) + moved)
    row.save()
"""
BYE = {
    "intents: [greet]": "intents: [greet, bye]",
    "nlu:\n": "nlu:\n- intent: bye\n  examples: |\n    - bye\n    - see you\n",
}


def last_tuesday() -> datetime:
    """The beginning of the last one that is over, UTC."""
    today = datetime.now(UTC).date()
    return datetime.combine(today - timedelta(days=(today.weekday() - 1) % 7 or 7), time(), UTC)


def trained(rasa, name, changes):
    """A model of a small project, by a real Rasa server; it says `Hello from` its name."""
    document = DOCUMENT.format(name=name)
    for before, after in changes.items():
        document = document.replace(before, after)
    with RasaClient(rasa.url, rasa.token).train(document.encode()) as made:
        return b"".join(iter(lambda: made.read(65536), b""))


class Production:
    """A control plane whose production is one stock Rasa server that polls."""

    def __init__(self, control_plane, start_rasa):
        self.control_plane, self.http = control_plane, control_plane.http
        self.tuesday = last_tuesday()
        control_plane.declare(DECLARATION.format(url="http://127.0.0.1:9"))
        endpoints = control_plane.run(SNIPPET.format(url=control_plane.url))
        token = control_plane.service_token("production")
        secrets = dict.fromkeys(live.variables_of(endpoints) - {"HOSTNAME"}, token)
        self.server = start_rasa(endpoints=endpoints, variables={**secrets, "HOSTNAME": "rasa-blue"})
        self.server.wait()
        control_plane.declare(DECLARATION.format(url=self.server.url))

    def upload(self, name, archive):
        files = {"model": (f"{name}.tar.gz", archive, "application/gzip")}
        answer = self.http.post("/api/projects/default/models", files=files)
        assert answer.status_code == 201, answer.text

    def promote(self, name, at):
        """Promoted and live, as if that had been `at` that time."""
        made = self.http.post("/api/v1/environments/production/promotions/", json={"model": name}).json()
        answer = self.http.get(f"/api/v1/promotions/{made['id']}/", params={"wait": 60})
        assert answer.json()["status"] == "succeeded", answer.text
        self.control_plane.run(PAST.format(at=at.isoformat(), pk=made["id"]))

    def model_id(self, name):
        return self.http.get(f"/api/v1/models/{name}/").json()["model_id"]

    def serves(self):
        """What the Rasa server itself says that it has loaded."""
        status = RasaClient(self.server.url).status()
        return status.model_id if status else None


@pytest.fixture(scope="module")
def production(real_rasa, start_rasa, tmp_path_factory):
    """It served calm-heron on last Tuesday, and brisk-otter since that evening."""
    home = tmp_path_factory.mktemp("browser")
    control_plane = live.ControlPlane(home, variables={"CONTROLPLANE_ADMIN_PASSWORD": PASSWORD})
    environment = Production(control_plane, start_rasa)
    for name, changes, at in (("calm-heron", {}, 9), ("brisk-otter", BYE, 21)):
        environment.upload(name, trained(real_rasa, name, changes))
        environment.promote(name, environment.tuesday + timedelta(hours=at))
    yield environment
    control_plane.stop()


@pytest.fixture
def page(production, browser):
    """The overview of the administrator."""
    url = production.control_plane.url
    context = browser.new_context(viewport=WIDE, base_url=url)
    context.set_default_timeout(30_000)
    watched = Watched(context, urlsplit(url).netloc)
    yield sign_in(context.new_page(), "admin")
    context.close()
    assert watched.wrong == []


class Hand:
    """Clicks, and counts them."""

    def __init__(self):
        self.clicks = 0

    def click(self, what):
        self.clicks += 1
        what.click()


def test_the_model_of_last_tuesday_is_live_again_within_five_clicks(production, page):
    assert production.serves() == production.model_id("brisk-otter")
    hand, tuesday = Hand(), production.tuesday

    hand.click(page.locator("#card-production").get_by_role("link", name="production", exact=True))
    day = f"{tuesday:%a} {tuesday.day} {tuesday:%b}"
    entry = page.get_by_role("listitem").filter(has_text=f"there {day}, 09:00 to {day}, 21:00 UTC, for 12 h")
    expect(entry).to_contain_text("calm-heron")
    hand.click(entry.get_by_text("Go back to here"))

    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".moves")).to_have_text(re.compile("now\\s*brisk-otter.*then\\s*calm-heron", re.DOTALL))
    expect(dialog.locator(".differs")).to_contain_text("1 intent")
    hand.click(dialog.get_by_text("Intents"))
    expect(dialog.locator(".diff-list .del")).to_have_text(["− bye"])  # noqa: RUF001 (a minus)
    assert dialog.locator("[data-confirm]").count() == 0
    page.evaluate("window.neverLoadedAnew = true")
    hand.click(dialog.get_by_role("button", name="Roll back"))

    expect(dialog.get_by_role("status")).to_have_text(re.compile(r"Live: 1 of 1 replica in"), timeout=60_000)
    expect(page.locator(".piece .head")).to_contain_text("In sync 1/1")
    expect(page.locator(".serving-line")).to_contain_text("calm-heron")
    assert page.evaluate("window.neverLoadedAnew") is True
    assert production.serves() == production.model_id("calm-heron")
    assert hand.clicks <= CLICKS, hand.clicks


def test_a_conversation_on_the_page_talk_is_read_afterwards(production, page):
    page.goto("/p/default/talk/?environment=production")
    page.get_by_role("button", name="New conversation").click()
    page.get_by_label("Message").fill("hello")
    page.get_by_label("Message").press("Enter")
    expect(page.locator(".turn").last).to_contain_text("Hello from")
    answer = page.locator(".said.bot").last.inner_text()
    model = answer.removeprefix("Hello from ").strip()
    assert production.serves() == production.model_id(model)

    page.goto("/p/default/conversations/")
    row = page.locator("tbody tr").first
    expect(row).to_contain_text("hello")
    expect(row).to_contain_text("greet")
    expect(row).to_contain_text(model)
    row.get_by_role("link", name="hello").click()
    turn = page.locator(".transcript .turn")
    expect(turn.locator(".said.user")).to_have_text("hello")
    expect(turn.locator(".heard-intent code")).to_have_text("greet")
    expect(turn.locator(".heard")).to_contain_text("utter_greet")
    expect(turn.locator(".said.bot")).to_have_text(f"Hello from {model}")
    expect(page.locator(".facts-line")).to_contain_text(f"answered by {model}")

    conversation = parse_qs(urlsplit(page.url).query)["id"][0]
    tracker = RasaClient(production.server.url).tracker(conversation, whole=True)
    heard = [event for event in tracker["events"] if event["event"] == "user"]
    assert [event["parse_data"]["intent"]["name"] for event in heard] == ["greet"]
    assert [event["metadata"]["model_id"] for event in heard] == [production.model_id(model)]
