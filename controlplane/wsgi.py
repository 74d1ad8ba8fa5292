"""The WSGI application that granian serves."""

import codecs
import os
import sys

import django

from accounts import scrubbing
from controlplane.connections import close_after_refusals, notice_clients_that_are_gone
from controlplane.postgresql.base import DatabaseWrapper
from controlplane.requests import Handler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

scrubbing.hook_exceptions()

# Seconds that a thread may compute before another gets its turn. At Python's 5 ms a poll, which takes turns a dozen
# times, waits for long behind one that receives a large archive.
sys.setswitchinterval(0.001)

django.setup(set_prefix=False)

notice_clients_that_are_gone()

application = close_after_refusals(Handler())

# Django reads this codec from its file at the first refusal it logs, and there may be no file descriptor for it then.
codecs.lookup("unicode_escape")

# A thread that waits for the database answers nobody else.
DatabaseWrapper.patience = 10.0

# Only after Django is set up can its models be imported.
from controlplane import fitness  # noqa: E402
from environments.serving import listening  # noqa: E402

own = fitness.start(fitness.WEB)
listening.start(may=lambda: own.problem is None)
