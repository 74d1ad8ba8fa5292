"""The WSGI application that granian serves."""

import os

from django.core.wsgi import get_wsgi_application

from controlplane.connections import close_after_refusals
from controlplane.postgresql.base import DatabaseWrapper

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

application = close_after_refusals(get_wsgi_application())

# A thread that waits for the database answers nobody else.
DatabaseWrapper.patience = 10.0

# Only after Django is set up can its models be imported.
from environments.serving import listening  # noqa: E402

listening.start()
