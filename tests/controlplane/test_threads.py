"""Polls always find a thread, however many long requests there are."""

from controlplane import programs


def test_all_long_requests_together_leave_threads_free(settings):
    settings.MAX_DOWNLOADS, settings.MAX_UPLOADS, settings.MAX_WAITS = 10, 20, 30
    settings.MAX_CHATS, settings.MAX_BODIES = 40, 50
    assert programs.blocking_threads() == 150 + programs.FREE_THREADS
