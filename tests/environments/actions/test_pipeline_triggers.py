"""What starts a pipeline: its schedule, a push, an upload. Once each, whatever happens to the clocks."""

import hashlib
import hmac
import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from accounts.problems import BadRequest
from environments import errors
from environments.actions import pipeline_pushes, pipeline_schedules, pipelines
from environments.actions.pipeline_pushes import Push, Signature
from environments.models import Pipeline, PipelineRun, Repository
from environments.receiving import receive_bundle
from tests.pipelines import declare
from tests.projects import tree, zipped

NIGHT = datetime(2026, 3, 10, 3, 0, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@pytest.fixture
def nightly(project, by_ana):
    """Wanted each night at three, next in the night of the 10th."""
    declare(project, by_ana, on={"schedule": "0 3 * * *"})
    Pipeline.objects.update(due_at=NIGHT)
    return Pipeline.objects.get()


def due_at():
    return Pipeline.objects.get().due_at


# The schedule


def test_it_is_started_when_it_is_due_and_not_before(nightly):
    assert pipeline_schedules.start_due(NIGHT - SECOND) == 0
    assert pipeline_schedules.start_due(NIGHT) == 1
    run = PipelineRun.objects.get()
    assert (run.trigger, run.by_name, run.owner.username) == ("schedule", "the schedule", "ana")
    assert due_at() == NIGHT + DAY


def test_several_clocks_start_it_once(nightly):
    assert [pipeline_schedules.start_due(NIGHT + SECOND) for _ in range(3)] == [1, 0, 0]
    stale = Pipeline.objects.told().get()
    stale.due_at = NIGHT
    assert not pipeline_schedules._start(stale, NIGHT + SECOND)


def test_who_looked_at_the_clock_a_moment_earlier_does_not_start_it_again(nightly):
    assert pipeline_schedules.start_due(NIGHT) == 1
    assert pipeline_schedules.start_due(NIGHT - SECOND / 50) == 0
    assert due_at() == NIGHT + DAY
    assert pipeline_schedules.start_due(NIGHT + SECOND) == 0


def test_nights_that_were_missed_are_caught_up_once(nightly):
    assert pipeline_schedules.start_due(NIGHT + 5 * DAY + SECOND) == 1
    assert due_at() == NIGHT + 6 * DAY


def test_a_clock_that_went_wrong_ends_the_schedule_not_for_good(nightly):
    pipeline_schedules.start_due(NIGHT + 400 * DAY)
    assert due_at() == NIGHT + 401 * DAY
    assert pipeline_schedules.start_due(NIGHT + 2 * DAY + SECOND) == 0
    assert due_at() == NIGHT + 3 * DAY


def test_a_clock_that_is_put_back_starts_nothing_twice(nightly):
    assert pipeline_schedules.start_due(NIGHT + SECOND) == 1
    assert pipeline_schedules.start_due(NIGHT - timedelta(hours=1)) == 0
    assert due_at() == NIGHT
    # It is night again by that clock: to leave it out would be worse.
    assert pipeline_schedules.start_due(NIGHT + SECOND) == 1


def test_what_is_switched_off_or_removed_is_never_due(nightly, by_ana):
    pipelines.change(pipeline=nightly, members={"enabled": False}, by=by_ana)
    assert pipeline_schedules.start_due(NIGHT + DAY) == 0
    pipelines.change(pipeline=nightly, members={"enabled": True}, by=by_ana)
    pipelines.remove(pipeline=nightly, by=by_ana)
    assert pipeline_schedules.start_due(NIGHT + 3000 * DAY) == 0


def test_one_that_cannot_be_started_holds_up_no_other(nightly, project, by_ana):
    declare(project, by_ana, name="weekly", on={"schedule": "0 3 * * *"})
    Pipeline.objects.update(due_at=NIGHT)
    nightly.declaration["on"]["time_zone"] = "Nowhere/Gone"
    nightly.save()
    assert pipeline_schedules.start_due(NIGHT) == 1
    assert PipelineRun.objects.get().pipeline.name == "weekly"


# An upload


@pytest.fixture
def send(project, by_ben):
    def send(text="Hello there"):
        domain = tree()["domain.yml"].replace("Hello", text)
        return receive_bundle(project=project, stream=io.BytesIO(zipped(tree(domain=domain))), by=by_ben).bundle

    return send


def test_an_upload_starts_it_with_that_bundle(project, by_ana, send):
    declare(project, by_ana, on={"upload": True})
    declare(project, by_ana, name="other")
    bundle = send()
    run = PipelineRun.objects.get()
    assert (run.pipeline.name, run.trigger, run.by_name, run.bundle) == ("nightly", "upload", "ben", bundle)
    send()
    assert PipelineRun.objects.count() == 1


def test_of_uploads_while_it_runs_the_newest_is_remembered(project, by_ana, send):
    declare(project, by_ana, on={"upload": True})
    bundles = [send(text) for text in ("one", "two", "three")]
    assert list(PipelineRun.objects.order_by("pk").values_list("status", flat=True)) == ["cancelled"] * 2 + ["queued"]
    assert PipelineRun.objects.get(status="queued").bundle == bundles[-1]


# A push


@pytest.fixture
def pushed(project, by_ana):
    Repository.objects.create(project=project, name="bot", url="https://git.example/bot.git", ref="main", by_name="ana")
    return declare(project, by_ana, source={"repository": "bot"}, on={"push": True})


def push(pipeline, branch="main", commit="a" * 40):
    return pipeline_pushes.start(pipeline=pipeline, push=Push(branch, commit), address="10.0.0.1")


def test_a_push_starts_it_once_however_often_it_comes(pushed):
    run, created = push(pushed)
    assert (created, run.trigger, run.ref, run.by_name) == (True, "push", "main", "a push")
    assert push(pushed) == (run, False)
    newer, created = push(pushed, commit="b" * 40)
    assert (created, newer.pk != run.pk) == (True, True)


def test_other_branches_than_that_of_the_source_do_not_count(pushed, by_ana):
    assert push(pushed, "feature") == (None, False)
    pipelines.change(pipeline=pushed, members={"on": {"push": ["release/*"]}}, by=by_ana)
    assert push(pushed) == (None, False)
    assert push(pushed, "release/1")[0].ref == "release/1"
    assert PipelineRun.objects.count() == 1


BODY = json.dumps({"ref": "refs/heads/main", "after": "c" * 40}).encode()


def signed(secret, body=BODY):
    return Signature(hmac_sha256=hmac.new(secret.encode(), body, hashlib.sha256).hexdigest())


def test_a_push_is_signed_with_the_secret_or_comes_with_it(pushed, by_ana):
    secret = pipelines.new_push_secret(pipeline=pushed, by=by_ana)
    pushed.refresh_from_db()
    assert pipeline_pushes.check_signed(pushed, signed(secret), BODY) == pushed
    assert pipeline_pushes.check_signed(pushed, Signature(token=secret), BODY) == pushed


def test_what_is_not_signed_is_refused_in_the_same_words_also_where_there_is_nothing(pushed, by_ana):
    secret = pipelines.new_push_secret(pipeline=pushed, by=by_ana)
    unsecured = Pipeline(project=pushed.project, name="unsecured")
    pushed.refresh_from_db()
    told = set()
    for pipeline, signature, body in (
        (pushed, Signature(), BODY),
        (pushed, Signature(token="wrong"), BODY),
        (pushed, Signature(token="\xe4\xf6"), BODY),
        (pushed, signed("wrong"), BODY),
        (pushed, signed(secret), BODY + b" "),
        (None, signed(secret), BODY),
        (None, Signature(token=pipeline_pushes.NOBODYS), BODY),
        (unsecured, Signature(), BODY),
        (unsecured, Signature(token=pipeline_pushes.NOBODYS), BODY),
        (unsecured, signed(""), BODY),
    ):
        with pytest.raises(errors.PushNotSigned) as refused:
            pipeline_pushes.check_signed(pipeline, signature, body)
        told.add(refused.value.detail)
    assert len(told) == 1


def test_an_earlier_secret_is_worth_nothing(pushed, by_ana):
    earlier = pipelines.new_push_secret(pipeline=pushed, by=by_ana)
    pipelines.new_push_secret(pipeline=pushed, by=by_ana)
    pushed.refresh_from_db()
    with pytest.raises(errors.PushNotSigned):
        pipeline_pushes.check_signed(pushed, signed(earlier), BODY)


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"ref": "refs/heads/main", "after": "c" * 40, "pusher": {}}, Push("main", "c" * 40)),
        ({"ref": "refs/heads/release/1", "after": "c" * 64}, Push("release/1", "c" * 64)),
        ({"zen": "Keep it logically awesome."}, None),
        ({"ref": "refs/tags/v1", "after": "c" * 40}, None),
        ({"ref": "refs/heads/gone", "after": "0" * 40}, None),
        ({"ref": "refs/heads/--option", "after": "c" * 40}, None),
        ({"ref": "refs/heads/" + "x" * 300, "after": "c" * 40}, None),
        ({"ref": "refs/heads/main", "after": "../.."}, None),
        ({"ref": ["refs/heads/main"], "after": 1}, None),
    ],
)
def test_what_git_servers_send_is_read(document, found):
    assert pipeline_pushes.read(document) == found


def test_what_is_no_object_is_no_push():
    with pytest.raises(BadRequest):
        pipeline_pushes.read([])


def test_a_secret_that_cannot_be_read_any_more_opens_nothing(pushed, by_ana):
    pipelines.new_push_secret(pipeline=pushed, by=by_ana)
    Pipeline.objects.update(sealed_push_secret="damaged")
    with pytest.raises(errors.PushNotSigned):
        pipeline_pushes.check_signed(Pipeline.objects.get(), Signature(), BODY)
