"""The WSGI application that granian serves."""

import os

from django.core.wsgi import get_wsgi_application

from controlplane.connections import close_after_refusals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

application = close_after_refusals(get_wsgi_application())

# Only after Django is set up can its models be imported.
from environments.serving import listening  # noqa: E402

listening.start()
