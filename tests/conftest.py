"""The cast: ana administers, ben develops (all but production), cy is an outsider, dora sees environments only."""

import io
import os
from collections.abc import Callable, Sequence
from typing import Any

import hypothesis
import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.operations import BaseDatabaseOperations
from django.test import Client
from django.utils import timezone
from xdist.scheduler import LoadFileScheduling

from accounts.actions import api_tokens
from accounts.actor import API, Actor
from accounts.models import Project, User
from controlplane import celery_app
from environments.models import Bundle, Environment, TrainedModel
from environments.receiving import receive_bundle, receive_model
from environments.serving import outages
from tests import live, services, tampering
from tests.archives import rasa_archive
from tests.factories import EnvironmentFactory, ProjectFactory, TrainedModelFactory, UserFactory, administrator, give
from tests.fake_docker import FakeEngine
from tests.fake_rasa import FakeRasa
from tests.leaks import net  # noqa: F401  # a fixture, under every test
from tests.projects import zipped
from workers import watching

BENS_GRANTS = (
    "environments.read",
    "models.read",
    "models.write",
    "models.delete",
    "training.read",
    "training.write",
    "evaluations.read",
    "evaluations.write",
    "conversations.read",
    "conversations.write",
    "tokens.write",
)


# Machines are shared and slow at times: how long an example takes proves nothing.
hypothesis.settings.register_profile(
    "shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], database=None
)
hypothesis.settings.load_profile("shared")


def pytest_configure(config):
    """Processes that share a run (`pytest -n 2`) share no Redis database: clearing the cache empties all of it.

    Passwords of tests are hashed cheaply; `tests/accounts/test_hashers.py` has the real hashers.
    """
    django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache_settings, number = django_settings.CACHES["default"], os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]
    url, _, database = str(cache_settings["LOCATION"]).rpartition("/")
    if url.startswith("redis:"):
        cache_settings["LOCATION"] = f"{url}/{int(database) - int(number)}"


# Tests that start servers, in two chains about as long: more than two of them at a time are not served in time by two
# cores. Those that start Rasa on this machine are in one.
CHAINS = {
    "containers": ("tests/docker/", "tests/browser/", "tests/bad_days/test_several_"),
    "installations": ("tests/bad_days/", "tests/flows/"),
}
# The priority of all others beside them, as `nice` counts.
LEFTOVERS = 5


def chain_of(nodeid: str) -> str | None:
    return next((chain for chain, paths in CHAINS.items() if nodeid.startswith(paths)), None)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """The chains come first, for they are long."""
    order = [*CHAINS, None]
    items.sort(key=lambda item: order.index(chain_of(item.nodeid)))


class ChainsThenFiles(LoadFileScheduling):
    """A chain goes to one process of a run, and so does any other file."""

    def _split_scope(self, nodeid: str) -> str:
        return chain_of(nodeid) or super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return ChainsThenFiles(config, log) if config.option.dist == "loadfile" else None


def require_services(item: pytest.Item) -> None:
    """A test whose service is missing is skipped with the reason; where services are required, it fails."""
    for marker in item.iter_markers():
        reason = services.missing(marker.name) if marker.name in services.SERVICES else None
        if reason and services.required():
            pytest.fail(reason, pytrace=False)
        if reason:
            pytest.skip(reason)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Beside the chains everything else takes what they leave: many of them measure time."""
    if "PYTEST_XDIST_WORKER" in os.environ and chain_of(item.nodeid) is None:
        os.setpriority(os.PRIO_PROCESS, 0, LEFTOVERS)
    require_services(item)


@pytest.fixture(autouse=True, scope="session")
def flush_of_the_audit_trail():
    """Django empties all tables after a test with transactions of its own; nothing of the product could."""
    with pytest.MonkeyPatch.context() as patch:
        flush = BaseDatabaseOperations.execute_sql_flush

        def execute_sql_flush(self, sql_list):
            with tampering.unprotected(self.connection):
                flush(self, sql_list)

        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", execute_sql_flush)
        yield


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    """Nothing of a test is kept beside the repository."""
    settings.CONTROLPLANE_HOME = tmp_path
    return tmp_path


@pytest.fixture(autouse=True)
def empty_cache():
    """The ledger of one test is not that of the next."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def nobody_watches_runs(monkeypatch):
    """Another thread sees nothing of what a test's transaction did, and would take each run for lost."""
    monkeypatch.setattr(watching, "EVERY_SECONDS", 3600)


@pytest.fixture(autouse=True)
def nothing_is_away():
    """An outage in one test is over in the next."""
    for part in (outages.reading, outages.writing, outages.cache):
        part.reset()


@pytest.fixture(autouse=True)
def connection_of_the_test(monkeypatch):
    """The connection that holds a test's transaction outlives the requests and tasks in it, as on SQLite in memory."""
    close = BaseDatabaseWrapper.close_if_unusable_or_obsolete
    monkeypatch.setattr(
        BaseDatabaseWrapper,
        "close_if_unusable_or_obsolete",
        lambda self: None if self.in_atomic_block else close(self),
    )


@pytest.fixture
def project(db) -> Project:
    return ProjectFactory(name="default")


@pytest.fixture
def production(project) -> Environment:
    return EnvironmentFactory(project=project, name="production", protected=True, order=0)


@pytest.fixture
def experimental(project) -> Environment:
    return EnvironmentFactory(project=project, name="experimental", color="#7c3aed", order=1)


@pytest.fixture
def worker(production) -> Environment:
    return EnvironmentFactory(
        project=production.project, name="worker", kind="training", follows=production, color="#64748b", order=2
    )


@pytest.fixture
def ana(project) -> User:
    return administrator("ana")


@pytest.fixture
def ben(project, experimental) -> User:
    user = UserFactory(username="ben")
    give(user, project, *BENS_GRANTS, "environments.experimental.write")
    return user


@pytest.fixture
def cy(project) -> User:
    return UserFactory(username="cy")


@pytest.fixture
def dora(project) -> User:
    user = UserFactory(username="dora")
    give(user, project, "environments.read")
    return user


@pytest.fixture
def by_ana(ana) -> Actor:
    return Actor(user=ana, via=API)


@pytest.fixture
def by_ben(ben) -> Actor:
    return Actor(user=ben, via=API)


@pytest.fixture
def by_cy(cy) -> Actor:
    return Actor(user=cy, via=API)


@pytest.fixture
def otter(project) -> TrainedModel:
    return TrainedModelFactory(project=project, name="brisk-otter")


@pytest.fixture
def heron(project) -> TrainedModel:
    return TrainedModelFactory(project=project, name="calm-heron")


def client_of(user: User) -> Client:
    """An HTTP client that sends an API token of `user`."""
    _, secret = api_tokens.create(user=user, name="test", by=Actor(user=user, via=API))
    return Client(headers={"authorization": f"Bearer {secret}"})


@pytest.fixture
def as_ana(ana) -> Client:
    return client_of(ana)


@pytest.fixture
def as_ben(ben) -> Client:
    return client_of(ben)


@pytest.fixture
def as_cy(cy) -> Client:
    return client_of(cy)


@pytest.fixture
def as_dora(dora) -> Client:
    return client_of(dora)


@pytest.fixture
def django_now():
    return timezone.now()


@pytest.fixture
def fake_rasa():
    """A running `FakeRasa` without a model; `.url` is its address."""
    with FakeRasa() as fake:
        yield fake


@pytest.fixture
def fake_docker():
    """A running `FakeEngine` without containers; `.url` is its address."""
    with FakeEngine() as fake:
        yield fake


@pytest.fixture
def stored_model(project, ana) -> Callable[..., TrainedModel]:
    """`stored_model("brisk-otter", tags=["nightly"], version="3.5.0")`: a model whose archive is in the storage.

    What is not named here is for `rasa_archive`.
    """

    def store(name: str = "brisk-otter", *, tags: Sequence[str] = (), **archive: Any) -> TrainedModel:
        stream = io.BytesIO(rasa_archive(name, **archive))
        by = Actor(user=ana, via=API)
        return receive_model(project=project, name=name, stream=stream, by=by, tags=tags).model

    return store


@pytest.fixture
def sent(monkeypatch) -> list[tuple[str, list[object]]]:
    """The messages given to the broker: (task, arguments). They go nowhere."""
    messages: list[tuple[str, list[object]]] = []
    monkeypatch.setattr(celery_app, "send_task", lambda name, args=(), **_: messages.append((name, list(args))))
    return messages


@pytest.fixture
def bundle(project, by_ana) -> Bundle:
    """A small project, stored."""
    return receive_bundle(project=project, stream=io.BytesIO(zipped()), by=by_ana).bundle


@pytest.fixture
def training_server(worker, fake_rasa) -> FakeRasa:
    """The Rasa server of the environment `worker`."""
    worker.url = fake_rasa.url
    worker.rasa_token = fake_rasa.token = "sesame"
    worker.save()
    return fake_rasa


@pytest.fixture(scope="session")
def start_rasa(tmp_path_factory):
    """Start a stock `rasa run`; wait for it with `.wait()`. All of them end with the test run."""
    started = []

    def start(**options) -> live.RasaServer:
        started.append(live.RasaServer(tmp_path_factory.mktemp("rasa"), **options))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def real_rasa(start_rasa) -> live.RasaServer:
    """A stock Rasa server without a model."""
    server = start_rasa(token="the-token-of-the-test")
    server.wait()
    return server


@pytest.fixture(scope="session")
def live_controlplane(tmp_path_factory):
    """A control plane in processes of its own, without environments; `declare` gives it some."""
    control_plane = live.ControlPlane(tmp_path_factory.mktemp("controlplane"))
    yield control_plane
    control_plane.stop()
