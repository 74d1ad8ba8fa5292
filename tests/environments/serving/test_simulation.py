"""Random days of an environment: what is said of its servers is held against what they truly have loaded.

Each step of a schedule is one thing that happens, and the time until the next. `SIMULATED_DAYS` is how many schedules
are tried (one in twenty through the database too); a thousand take some minutes.
"""

import os
from collections import Counter
from dataclasses import replace

import pytest
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from environments import errors
from environments.actions import freezes, promotions
from environments.decisions import LONGER_FOR_GOOD, TRIES, Answer, Record, Situation, broke_off, decide, forget_tries
from environments.models import Environment, Listening, Promotion, TrainedModel
from environments.serving import ledger, lookup, polls, replicas, settling
from environments.serving.evidence import Evidence
from environments.serving.ledger import Entry
from environments.serving.reports import EnvironmentReport, judge, report
from environments.states import PromotionStatus, ReplicaState, Sync
from tests import repeats
from tests.environments.serving.simulation import START, Process, Servers, hash_of
from tests.factories import EnvironmentFactory, TrainedModelFactory

pytestmark = pytest.mark.nightly

DAYS = int(os.environ.get("SIMULATED_DAYS") or repeats.times(100, nightly=10_000))
# What was said in all, held against the truth each time.
SAID: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def say_how_much_was_said(request):
    yield
    plugins = request.config.pluginmanager
    reporter, capture = plugins.getplugin("terminalreporter"), plugins.getplugin("capturemanager")
    # One of several processes has no terminal.
    if reporter and capture:
        with capture.global_and_fixture_disabled():
            said = ", ".join(f"{count} {what}" for what, count in sorted(SAID.items()))
            reporter.write_line(f"\nsimulated: {said}")


# The Rasa servers refuse the last one for its version.
MODELS = ("otter", "heron", "fox", "too-old")


def loads(model: str) -> bool:
    return model != "too-old"


class Pure:
    """The control plane without a database: `decisions.decide` and `reports.judge` over records it keeps itself."""

    def __init__(self, *, replicas: int, workers: int, interval: float | None) -> None:
        self.environment = Environment(
            pk=1, name="production", replicas=replicas, workers=workers, pull_interval=interval
        )
        self.models = {name: TrainedModel(pk=pk, name=name, hash=hash_of(name)) for pk, name in enumerate(MODELS, 1)}
        self.names = {model.hash: name for name, model in self.models.items()}
        self.promotion: Promotion | None = None
        self.promoted: set[str] = set()
        self.target: str | None = None
        self.damaged: set[str] = set()
        self.proofs: list[str] = []
        self.cached: dict[str, Record] = {}
        self.rows: dict[str, Record] = {}
        self.away, self.busy = False, False
        self.frozen = False
        self.listening_since = START

    def poll(self, replica: str, etag: str, now: float) -> str | None:
        if self.away:
            raise TimeoutError
        record = self.cached.get(replica, self.rows.get(replica, Record()))
        situation = Situation(
            target=hash_of(self.target) if self.target else None,
            loadable=self.target not in self.damaged,
            workers=self.environment.workers,
            interval=self.environment.pull_interval,
            proven=lambda: [hash_of(model) for model in self.proofs if model not in self.damaged],
            promotion=self.promotion.pk if self.promotion else None,
            frozen=self.frozen,
        )
        decision = decide(record, etag=etag, known=etag in self.names, situation=situation, now=now)
        self._keep(replica, decision.record, notable=decision.notable)
        return self.names[decision.model] if decision.answer is Answer.SERVE and decision.model else None

    def _keep(self, replica: str, record: Record, *, notable: bool) -> None:
        proved = self.names.get(record.proved or "")
        if record.proof_due and proved in self.promoted:
            self.proofs = [proved, *(model for model in self.proofs if model != proved)]
        self.cached[replica] = replace(record, proof_due=False)
        if notable or replica not in self.rows:
            self.rows[replica] = self.cached[replica]

    def broke_off(self, replica: str, etag: str, model: str) -> None:
        if replica in self.cached:
            record = broke_off(self.cached[replica], etag=etag, model=hash_of(model))
            self._keep(replica, record, notable=False)

    def flush(self) -> None:
        self.rows |= self.cached

    def retry(self, replica: str) -> None:
        if replica in self.cached:
            self._keep(replica, forget_tries(self.cached[replica]), notable=True)

    def promote(self, model: str | None, now: float) -> None:
        self.target = model
        self.promoted |= {model} if model else set()
        self.promotion = Promotion(
            pk=self.promotion.pk + 1 if self.promotion else 1,
            environment=self.environment,
            model=self.models[model] if model else None,
            status=PromotionStatus.ROLLING_OUT if model else PromotionStatus.SUCCEEDED,
            created_at=ledger.at(now),
        )

    def freeze(self, now: float) -> None:
        self.frozen = True
        self.environment.frozen_at = ledger.at(now)

    def resume(self, model: str | None, now: float) -> None:
        self.frozen, self.environment.frozen_at = False, None
        if model != self.target:
            self.promote(model, now)

    def stop(self) -> None:
        self.away = True
        self.cached.clear()

    def start(self, now: float) -> None:
        self.away, self.listening_since = False, now

    def report(self, now: float) -> EnvironmentReport:
        found = judge(
            Evidence(
                environment=self.environment,
                now=ledger.at(now),
                listening_since=None if self.away else ledger.at(self.listening_since),
                target=self.models[self.target] if self.target else None,
                promotion=self.promotion,
                entries=[
                    Entry(environment_id=1, name=name, address="", first_seen=record.polls[0], record=record)
                    for name, record in sorted((self.rows | self.cached).items())
                ],
                names=self.names,
                promoted=frozenset(hash_of(model) for model in self.promoted),
                check=None,
                checked_model=None,
            )
        )
        if self.promotion and found.replicas.stuck:
            self.promotion.status = PromotionStatus.FAILED
        return found


class Stored(Pure):
    """The same through the ledger, the cache and the database."""

    def __init__(self, environment: Environment, models: dict[str, TrainedModel], by) -> None:
        super().__init__(replicas=environment.replicas, workers=environment.workers, interval=environment.pull_interval)
        self.environment, self.models, self.by = environment, models, by

    def _serve(self, model: TrainedModel) -> str:
        if model.name in self.damaged:
            raise errors.ArchiveDamaged("damaged")
        return model.name

    def poll(self, replica: str, etag: str, now: float) -> str | None:
        if self.away:
            raise TimeoutError
        found = lookup.by_key(self.environment.pk)
        pull = polls.Pull(self.environment, found.model, found.promotion, frozen=found.frozen)
        _, served = polls.take(
            environment=self.environment, pull=pull, name=replica, address="", etag=etag, serve=self._serve
        )
        self.proofs = [model.name for model in ledger.proven_models(self.environment)]
        return served

    def broke_off(self, replica: str, etag: str, model: str) -> None:
        polls.transfer_broke_off(environment=self.environment, name=replica, etag=etag, model=self.models[model])

    def flush(self) -> None:
        ledger.flush()

    def retry(self, replica: str) -> None:
        if ledger.find(self.environment.pk, replica):
            replicas.retry(environment=self.environment, name=replica, by=self.by)

    def promote(self, model: str | None, now: float) -> None:
        chosen = self.models[model] if model else None
        promotions.promote(environment=self.environment, model=chosen, by=self.by)
        self.target = model

    def freeze(self, now: float) -> None:
        self.frozen = True
        freezes.freeze_all(as_of=ledger.at(now), now=ledger.at(now))
        self.environment.refresh_from_db()

    def resume(self, model: str | None, now: float) -> None:
        self.frozen, self.target = False, model
        chosen = self.models[model] if model else None
        freezes.resume(environment=self.environment, model=chosen, by=self.by)
        self.environment.refresh_from_db()

    def stop(self) -> None:
        self.away = True
        cache.clear()

    def start(self, now: float) -> None:
        self.away = False
        Listening.objects.update(since=ledger.at(now))

    def report(self, now: float) -> EnvironmentReport:
        Listening.objects.update(until=ledger.at(now))
        settling.settle_all(ledger.at(now))
        return report(self.environment, ledger.at(now))


class Day:
    """A schedule that runs, and what must hold at every moment of it."""

    def __init__(self, control_plane: Pure, *, replicas: int, workers: int, interval: float) -> None:
        self.control_plane, self.workers, self.interval = control_plane, workers, interval
        self.servers = Servers(self, replicas=replicas, workers=workers, interval=interval, loads=loads)
        self.downloads: Counter[tuple[str, str]] = Counter()
        self.allowed: Counter[str] = Counter()
        self._new_tries()

    # What happens

    def promote(self, model: str | None) -> None:
        if not self.control_plane.frozen and (model is None or model not in self.control_plane.damaged):
            self.control_plane.promote(model, self.servers.now)
            self._new_tries()
            SAID["promotions"] += 1

    def freeze(self) -> None:
        """A restore: the backup says of the tag what it says, and the servers have what they have."""
        self.control_plane.freeze(self.servers.now)
        self._new_tries()

    def resume(self, model: str | None) -> None:
        """Somebody decides: for that model, or where it cannot be for what the backup says."""
        if self.control_plane.frozen:
            chosen = self.control_plane.target if model in self.control_plane.damaged else model
            self.control_plane.resume(chosen, self.servers.now)
            self._new_tries()
            SAID["decisions"] += 1

    def restart(self, replica: int, worker: int, after: float) -> None:
        self.servers.restart(replica, worker, after)
        self.allowed[f"rasa-{replica % len(self.servers.replicas)}"] += 2 * TRIES

    def damage(self, model: str) -> None:
        self.control_plane.damaged.add(model)

    def heal(self) -> None:
        self.control_plane.damaged.clear()
        self._new_tries()

    def cut_off(self, replica: int) -> None:
        self.servers.replicas[replica % len(self.servers.replicas)].cut_off = True

    def break_off(self, replica: int, times: int) -> None:
        chosen = self.servers.replicas[replica % len(self.servers.replicas)]
        chosen.breaks += times
        self.allowed[chosen.name] += times

    def connect(self) -> None:
        for replica in self.servers.replicas:
            replica.cut_off, replica.breaks = False, 0

    def retry(self, replica: int) -> None:
        if not self.control_plane.away:
            self.control_plane.retry(f"rasa-{replica % len(self.servers.replicas)}")
            self._new_tries()

    def flush(self) -> None:
        self.control_plane.flush()

    def stop(self) -> None:
        self.control_plane.stop()

    def start(self) -> None:
        if self.control_plane.away:
            self.control_plane.start(self.servers.now)

    def pass_time(self, seconds: float) -> None:
        self.servers.run(seconds, self.look)

    # What must hold

    def _new_tries(self) -> None:
        """Each process may try anew, with no model and with each of those it may have."""
        self.downloads.clear()
        for replica in self.servers.replicas:
            self.allowed[replica.name] = TRIES * self.workers * (1 + len(MODELS)) + replica.breaks

    def poll(self, replica: str, etag: str, now: float) -> str | None:
        """A poll, as the servers make it: what they are given is held against what they may be given."""
        given = self.control_plane.poll(replica, etag, now)
        target, whole = self.control_plane.target, set(MODELS) - self.control_plane.damaged
        assert given is None or given in whole, "a damaged archive was served"
        if given and given == target:
            self.downloads[replica, given] += 1
            assert self.downloads[replica, given] <= self.allowed[replica], "downloads without end"
        empty = etag not in self.control_plane.names
        if self.control_plane.frozen:
            assert given is None or empty, "a server changed its model though nobody had decided"
            assert given or not empty or not whole & set(self.control_plane.proofs), "left empty while frozen"
            SAID["polls while frozen"] += 1
            return given
        if empty and target and whole & {target if loads(target) else None, *self.control_plane.proofs}:
            assert given, "left empty while a model that loads is known"
        return given

    def broke_off(self, replica: str, etag: str, model: str) -> None:
        self.control_plane.broke_off(replica, etag, model)

    def look(self) -> None:
        """What is said now is held against the truth."""
        found = self.control_plane.report(self.servers.now)
        target = self.control_plane.target
        SAID[f"times {found.sync.value}"] += 1
        SAID["times stuck"] += found.replicas.stuck > 0
        assert not (self.control_plane.frozen and found.sync is Sync.ROLLING_OUT), "nothing rolls out while frozen"
        if found.sync is Sync.IN_SYNC:
            wrong = [process for process in self._heard() if process.loaded != target or process.loading]
            assert not wrong, f"not in sync: {wrong}"
        stuck = [member.name for member in found.members if member.state is ReplicaState.STUCK]
        assert not stuck or (target and not loads(target)), f"{target} loads: {stuck} cannot be stuck"
        silent = {member.name for member in found.members if member.state is ReplicaState.SILENT}
        busy = {replica.name for replica in self.servers.replicas if all(each.loading for each in replica.processes)}
        assert not silent & busy, f"{silent & busy} load what they were given"

    def _heard(self) -> list[Process]:
        """Those that could say what they have: one whose polls do not arrive cannot be known."""
        return [process for process in self.servers.processes if process.heard and not process.replica.cut_off]

    def settles(self, seconds: float) -> None:
        """When nothing happens any more, everything is as it should be before long."""
        self.heal()
        self.connect()
        self.start()
        self.resume(self.control_plane.target)
        self.pass_time(seconds)
        downloads = self.downloads.copy()
        self.pass_time(5 * self.interval)
        assert self.downloads == downloads, "downloads without end"
        found, target = self.control_plane.report(self.servers.now), self.control_plane.target
        have = {process.loaded for process in self.servers.processes}
        if target is None:
            assert (found.sync is Sync.IN_SYNC) == (have == {None})
        elif loads(target):
            assert have == {target}
            assert found.sync is Sync.IN_SYNC, found
        else:
            assert found.sync is Sync.OUT_OF_SYNC
            assert found.replicas.stuck == found.replicas.live
            assert None not in have or not self.control_plane.proofs


numbers = st.integers(0, 3)
happenings = st.one_of(
    st.tuples(st.just("promote"), st.sampled_from([*MODELS, None])),
    st.tuples(st.just("promote"), st.sampled_from(MODELS)),
    st.tuples(st.just("restart"), numbers, numbers, st.sampled_from([0.1, 4.4, 21.7])),
    st.tuples(st.just("damage"), st.sampled_from(MODELS)),
    st.tuples(st.just("cut_off"), numbers),
    st.tuples(st.just("retry"), numbers),
    st.tuples(st.just("break_off"), numbers, st.integers(1, 5)),
    st.tuples(st.sampled_from(["heal", "connect", "flush", "stop", "start"])),
    st.tuples(st.just("freeze")),
    st.tuples(st.just("resume"), st.sampled_from([*MODELS, None])),
)
pauses = st.sampled_from([0.0, 0.7, 3.1, 9.3, 15.9, 40.3, 171.1])
schedules = st.lists(st.tuples(happenings, pauses), max_size=20)


def run(day: Day, schedule, seconds: float = 500.0) -> None:
    for (what, *how), pause in schedule:
        getattr(day, what)(*how)
        day.pass_time(pause)
    day.settles(seconds)


@settings(max_examples=DAYS)
@given(
    schedule=schedules,
    replicas=st.integers(1, 2),
    workers=st.integers(1, 3),
    interval=st.sampled_from([2.0, 10.0]),
    declared=st.booleans(),
)
def test_whatever_happens_nothing_false_is_said_and_no_server_is_left_alone(
    schedule, replicas, workers, interval, declared
):
    control_plane = Pure(replicas=replicas, workers=workers, interval=interval if declared else None)
    day = Day(control_plane, replicas=replicas, workers=workers, interval=interval)
    if not declared and workers > 1:
        # The interval of several workers can be learned only while none of them is missing.
        day.pass_time(6 * interval)
        day.flush()
    run(day, schedule, 500.0 if declared or workers == 1 else 500.0 + LONGER_FOR_GOOD)


@pytest.mark.django_db
@settings(
    max_examples=max(DAYS // 20, 1), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    schedule=st.lists(st.tuples(happenings, st.sampled_from([0.0, 0.7, 9.3, 15.9])), max_size=6),
    workers=st.integers(1, 2),
)
def test_the_same_holds_through_the_ledger_and_the_database(schedule, workers, project, by_ana, monkeypatch):
    cache.clear()
    with transaction.atomic(), monkeypatch.context() as clock:
        environment = EnvironmentFactory(project=project, pull_interval=10, replicas=1, workers=workers)
        models = {name: TrainedModelFactory(project=project, name=name) for name in MODELS}
        Listening.objects.create(since=ledger.at(START), until=ledger.at(START))
        day = Day(Stored(environment, models, by_ana), replicas=1, workers=workers, interval=10.0)
        clock.setattr(timezone, "now", lambda: ledger.at(day.servers.now))
        run(day, schedule, seconds=200.0)
        transaction.set_rollback(True)


def day_of_one(*, workers: int = 1, interval: float = 10.0) -> Day:
    return Day(Pure(replicas=1, workers=workers, interval=interval), replicas=1, workers=workers, interval=interval)


def test_a_tag_that_moves_away_and_back_while_a_server_loads_is_no_proof():
    schedule = [(("promote", "otter"), 45.0), (("promote", "heron"), 10.0), (("promote", "otter"), 1.0)]
    run(day_of_one(), schedule)


def test_a_worker_that_loads_for_long_is_not_proved_by_another():
    run(day_of_one(workers=2), [(("promote", "otter"), 45.0), (("restart", 0, 0, 0.1), 0.0)])


def test_a_server_that_still_loads_what_it_was_given_is_not_in_sync_with_nothing():
    run(day_of_one(), [(("promote", "otter"), 15.0), (("promote", None), 1.0)])


def test_a_server_that_loads_longer_than_three_intervals_is_not_silent():
    run(day_of_one(interval=2.0), [(("promote", "otter"), 30.0), (("promote", "heron"), 30.0)])


def test_transfers_that_break_off_make_no_model_stuck():
    run(day_of_one(), [(("break_off", 0, 5), 0.0), (("promote", "otter"), 100.0)])


def frozen_day() -> Day:
    """otter was proved, heron after it, and then the installation was restored."""
    day = day_of_one()
    for model in ("otter", "heron"):
        day.promote(model)
        day.pass_time(45.0)
    day.freeze()
    return day


def test_frozen_a_server_that_starts_gets_the_last_proven_model_and_keeps_it():
    day = frozen_day()
    day.restart(0, 0, 0.1)
    day.promote("fox")
    day.pass_time(90.0)
    assert {process.loaded for process in day.servers.processes} == {"heron"}


def test_frozen_no_server_follows_the_tag_until_somebody_decided():
    day = frozen_day()
    day.control_plane.target = "otter"  # as an older backup has it
    day.pass_time(90.0)
    assert {process.loaded for process in day.servers.processes} == {"heron"}
    day.resume("otter")
    day.settles(90.0)
    assert {process.loaded for process in day.servers.processes} == {"otter"}


def test_a_decision_for_another_model_is_rolled_out_as_any_promotion():
    day = frozen_day()
    day.resume("fox")
    day.settles(90.0)
    assert {process.loaded for process in day.servers.processes} == {"fox"}
