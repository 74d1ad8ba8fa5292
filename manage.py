#!/usr/bin/env python
"""Django's command line for the control plane."""

import os
import sys

from django.core.management import execute_from_command_line

from accounts import scrubbing

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
    scrubbing.hook_exceptions()
    try:
        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read the output has gone, as `head` does; at its end Python would complain of what is left to write.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
