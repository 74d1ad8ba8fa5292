"""The log of a job: stored in pieces by its present run, read from any offset, bounded."""

import pytest

from environments.actions import job_logs, jobs, queue
from environments.models import Job, JobLog
from environments.models.job_log import MOST_READ
from tests.factories import JobFactory


@pytest.fixture
def run(project):
    return queue.claim(JobFactory().pk, worker="here")


def write(run, *texts):
    for text in texts:
        job_logs.append(job=run, text=text)


def read(job, offset=0):
    reading = JobLog.objects.read(job, offset)
    return reading.text, reading.next_offset


def test_pieces_are_read_as_one_text_from_any_offset(run):
    write(run, "one\n", "zwei ü\n", "🦦\n")
    whole = "one\nzwei ü\n🦦\n"
    for offset in range(len(whole) + 1):
        assert read(run, offset) == (whole[offset:], len(whole))


def test_an_offset_behind_the_end_leads_back_to_it(run):
    write(run, "one\n")
    assert read(run, 100) == ("", 4)
    assert read(JobFactory()) == ("", 0)


def test_of_two_runs_only_the_present_one_writes_and_the_log_goes_on(run):
    write(run, "first run\n")
    Job.objects.filter(pk=run.pk).update(status="queued", lease_until=None)
    with pytest.raises(jobs.RunLost):
        write(run, "late\n")
    again = queue.claim(run.pk, worker="there")
    with pytest.raises(jobs.RunLost):
        write(run, "late\n")
    write(again, "second run\n")
    assert read(run) == ("first run\nsecond run\n", 21)


def test_the_last_words_of_a_run_may_come_after_its_end(run):
    jobs.end_cancelled(job=run)
    write(run, "bye\n")
    assert read(run) == ("bye\n", 4)


def test_a_long_log_is_read_in_several_answers(run):
    text = "".join(f"line {number}\n" for number in range(100_000))
    write(run, text)
    assert JobLog.objects.count() == -(-len(text) // job_logs.LONGEST_PIECE)
    found, offset = "", 0
    while offset < len(text):
        piece, offset = read(run, offset)
        assert 0 < len(piece) <= MOST_READ + job_logs.LONGEST_PIECE
        found += piece
    assert found == text


def test_of_a_log_that_is_too_long_the_middle_goes_and_that_is_told(run, settings):
    settings.MAX_JOB_LOG_CHARACTERS = 1000
    lines = [f"line {number:04}\n" for number in range(1000)]
    write(run, *lines)
    kept = list(JobLog.objects.filter(job=run))
    assert sum(len(piece.text) for piece in kept) <= 1000 + 2 * len(lines[0])
    text, end = read(run)
    shown = text.splitlines(keepends=True)
    told = next(line for line in shown if "left out" in line)
    before, after = shown[: shown.index(told)], shown[shown.index(told) + 1 :]
    assert before == lines[: len(before)]
    assert after == lines[-len(after) :]
    assert told == f"[… {10 * (1000 - len(before) - len(after))} characters were left out …]\n"
    assert end == 10_000


def test_who_follows_a_log_while_its_middle_goes_reads_on_behind_it(run, settings):
    settings.MAX_JOB_LOG_CHARACTERS = 100
    write(run, *["123456789\n"] * 5)
    _, offset = read(run)
    write(run, *["abcdefghi\n"] * 20)
    text, end = read(run, offset)
    assert text.startswith("[… ")
    assert text.endswith("abcdefghi\n")
    assert end == 250


@pytest.mark.parametrize("pieces", [10, 3000])
def test_a_reading_costs_the_same_however_long_the_log_is(run, pieces, django_assert_num_queries):
    JobLog.objects.bulk_create(JobLog(job=run, offset=10 * n, text="123456789\n") for n in range(pieces))
    with django_assert_num_queries(2):
        assert read(run, 10 * pieces - 5) == ("6789\n", 10 * pieces)
