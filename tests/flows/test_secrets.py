"""A whole installation is used, rightly and wrongly, and then searched: no secret of it is in a log, an answer, an
export, the database, a file that is not there to hold it, or on a command line."""

import base64
import sqlite3
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import psycopg
import pytest
from psycopg import sql

from tests import live
from tests.archives import rasa_archive
from tests.bad_days.conftest import database
from tests.fake_rasa import FakeRasa
from tests.multipart import CONTENT_TYPE, upload
from tests.projects import zipped
from tests.routes import ROUTES

PASSWORD = "otters swim in rivers, 7 of them"
# Each is set somewhere below; to look for one more, add it here.
SECRETS = {
    "installation key": "key-of-the-installation-Zk3v9qTt81bLmQx0PrSw",
    "administrator's password": PASSWORD,
    "Rasa token": "rasa-token-Hj3kq9Zx81bbTtu0pLmQ",
    "installation-wide token": "installation-token-Wq7bb2Lx09",
    "secret of end users' tokens": "jwt-secret-Yp4mm6Vc31Rt",
    "password of the broker": "broker-password-Nn5kk8Jd72",
    "wrong token": f"cpt_{'wrong' * 8}abc",
}
DECLARED = """
rasa:
  production:
    url: {url}
    token: ${{RASA_TOKEN}}
  worker:
    url: http://127.0.0.1:9
    token: ${{RASA_TOKEN}}
"""
VARIABLES = {
    "CONTROLPLANE_SECRET_KEY": SECRETS["installation key"],
    "CONTROLPLANE_ADMIN_PASSWORD": PASSWORD,
    "RASA_TOKEN": SECRETS["Rasa token"],
    "RASA_X_TOKEN": SECRETS["installation-wide token"],
    "JWT_SECRET": SECRETS["secret of end users' tokens"],
    # Nobody listens there, so every worker and every job tells of it.
    "BROKER_URL": f"amqp://control:{SECRETS['password of the broker']}@127.0.0.1:9//",
}
NAMES = {"project": "default", "environment": "production", "name": "production", "model": "brisk-otter"}
# Answers that are there to show one, by the beginning of the path.
SHOWS = ("/p/default/environments/production/connect/", "/api/v1/environments/production/service-token/")


class Installation:
    """The control plane, and everything that it answered."""

    def __init__(self, home, bot, **more):
        self.secrets = dict(SECRETS)
        self.home, self.answers, self.clients = home, {}, []
        self.control_plane = live.ControlPlane(home, DECLARED.format(url=bot.url), variables=VARIABLES | more)
        # Without a broker no queue can be declared before.
        for part in ("default", "beat"):
            self.control_plane.start(part)
        self.secrets["API token"] = self.control_plane.token
        self.secrets["service token"] = self.control_plane.service_token("production")

    def client(self):
        self.clients.append(httpx.Client(base_url=self.control_plane.url, timeout=60))
        return self.clients[-1]

    def stop(self):
        for client in self.clients:
            client.close()
        self.control_plane.stop()

    def ask(self, client, method, path, **request):
        answer = client.request(method, path, **request)
        self.answers[f"{method} {path} {answer.status_code} {len(self.answers)}"] = (
            "" if path.startswith(SHOWS) else answer.text + str(answer.headers.get("location"))
        )
        return answer

    def browser(self):
        """Signed in as the administrator."""
        browser = self.client()
        browser.get("/sign-in/")
        form = {"username": "admin", "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        self.ask(browser, "POST", "/sign-in/", data=form | {"password": SECRETS["wrong token"]})
        signed_in = self.ask(browser, "POST", "/sign-in/", data=form | {"password": PASSWORD})
        assert signed_in.status_code == 302
        self.secrets["session"] = browser.cookies["sessionid"]
        return browser

    def use(self):
        wrong = self.client()
        wrong.headers["Authorization"] = f"Bearer {SECRETS['wrong token']}"
        signed_in = wrong.post(
            "/api/auth", json={"username": "admin", "password": PASSWORD}, headers={"Authorization": ""}
        )
        self.secrets["JWT"] = signed_in.json()["access_token"]
        invited = self.control_plane.http.post("/api/users", json={"username": "eve"}).json()[0]["invitation"]
        link = urlsplit(invited).path
        self.secrets["invitation"] = link.rstrip("/").rpartition("/")[2]
        self.ask(self.client(), "GET", link, follow_redirects=True)
        everybody = [self.control_plane.http, self.browser(), wrong]
        body = upload("brisk-otter.tar.gz", rasa_archive())
        self.ask(everybody[0], "POST", "/api/models", content=body, headers={"Content-Type": CONTENT_TYPE})
        job = {"bundle": ("bundle.zip", zipped())}
        self.ask(everybody[0], "POST", "/api/v1/bundles/", files=job)
        self.ask(everybody[0], "POST", "/api/v1/jobs/", json={"kind": "training"})
        self.ask(everybody[0], "PUT", "/api/models/brisk-otter/tags/production")
        self.ask(everybody[0], "POST", "/api/conversations/me/messages", json={"message": "hi"})
        for client in everybody:
            for path in sorted({url_of(route) for route, _ in ROUTES} - {"/sign-out/"}):
                self.ask(client, "GET", path)
                self.ask(client, "POST", path, json={"token": SECRETS["Rasa token"]})
        for path in ("/api/models", "/models/default", "/api/config", "/p/default/", "/nothing", "/api/v1/nothing/"):
            for name in ("token", "api_token"):
                for secret in (SECRETS["wrong token"], *self.secrets.values()):
                    self.ask(wrong, "GET", path, params={name: secret})
        self.control_plane.manage("status")

    def places(self):
        """(where, text) of all there is to search."""
        yield from self.answers.items()
        for path in self.home.rglob("*"):
            if path.is_file() and not path.name.startswith("db.sqlite3"):
                yield f"the file {path.relative_to(self.home)}", path.read_bytes().decode(errors="replace")
        for part, process in self.control_plane.running.items():
            for pid in (process.process.pid, *descendants(process.process.pid)):
                yield f"the command line of {part}", Path(f"/proc/{pid}/cmdline").read_text()

    def leaks(self, dump):
        found = []
        for where, text in (*self.places(), ("the database", dump)):
            found += [f"{name} in {where}" for name, secret in self.secrets.items() if is_in(secret, text)]
        return sorted(set(found))


def url_of(route):
    parts = route.replace("@", "/@/").split("/")
    filled = [NAMES.get(part.strip("<>").partition(":")[2], "1") if part.startswith("<") else part for part in parts]
    return "/" + "/".join(filled).replace("/@/", "@")


def is_in(secret, text):
    """In plain, as URLs quote it, and in base64 wherever in it the secret begins."""
    encoded = [base64.b64encode(b"x" * before + secret.encode())[4:-4].decode() for before in range(3)]
    return any(form in text for form in (secret, quote(secret, safe=""), *encoded))


def descendants(pid):
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield int(child)
        yield from descendants(int(child))


@pytest.fixture
def bot():
    with FakeRasa(token=SECRETS["Rasa token"]) as fake:
        fake.load(model_id="a" * 32)
        yield fake


@pytest.mark.parametrize("form", [SECRETS["Rasa token"], quote(PASSWORD), base64.b64encode(PASSWORD.encode()).decode()])
def test_what_is_planted_is_found(form):
    assert any(is_in(secret, f"<p>{form}</p>") for secret in SECRETS.values())
    assert not any(is_in(secret, "<p>the token of Rasa is a secret</p>") for secret in SECRETS.values())


def searched(installation, dump):
    try:
        installation.use()
        log = installation.control_plane.log("web") + installation.control_plane.log("default")
        # The failing broker was told of, without its password.
        assert "amqp" in log
        assert len(installation.answers) > 300
        assert "incident" not in "".join(installation.answers.values())
        assert installation.leaks(dump()) == []
    finally:
        installation.stop()


def test_an_installation_that_was_used_holds_no_secret_in_the_clear(tmp_path, bot):
    def dump():
        with sqlite3.connect(tmp_path / "db.sqlite3") as connection:
            return "\n".join(connection.iterdump())

    searched(Installation(tmp_path, bot), dump)


@pytest.mark.postgresql
def test_so_it_is_on_postgresql(tmp_path, bot):
    with database() as url:

        def dump():
            with psycopg.connect(url) as connection:
                names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
                read = "SELECT t::text FROM {} t"
                rows = [connection.execute(sql.SQL(read).format(sql.Identifier(name))).fetchall() for (name,) in names]
                return "\n".join(text for table in rows for (text,) in table)

        searched(Installation(tmp_path, bot, DATABASE_URL=url), dump)
