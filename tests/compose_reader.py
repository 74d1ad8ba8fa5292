"""Run under the Python of docker-compose 1.29: reads the names of folders, a line each, and tells what compose makes of
them, as JSON. What `docker-compose config` prints does not always read back as what it was (a line separator)."""

import json
import sys

from compose.config import config
from compose.config.environment import Environment
from compose.config.errors import ConfigurationError


def read(folder):
    variables = Environment.from_env_file(folder)
    loaded = config.load(config.find(folder, None, variables))
    return {service.pop("name"): service for service in loaded.services}


def told(value):
    return value.repr() if hasattr(value, "repr") else str(value)


for line in sys.stdin:
    folder = line.strip()
    try:
        answer = {"services": read(folder)}
    except ConfigurationError as error:
        answer = {"refused": error.msg}
    sys.stdout.write(f"{json.dumps(answer, default=told)}\n")
    sys.stdout.flush()
