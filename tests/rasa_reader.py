"""Run under the Python of a real Rasa: reads a request a line, `{path, variables}`, and tells what Rasa's own reader
makes of that file of endpoints or credentials."""

import json
import os
import sys

from rasa.shared.exceptions import RasaException
from rasa.shared.utils.io import read_config_file
from rasa.utils.endpoints import EndpointConfig, read_endpoint_config

OWN = ("url", "params", "headers", "basic_auth", "token", "token_name", "type", "cafile")


def section(path, name):
    config: EndpointConfig = read_endpoint_config(path, name)
    return {**{key: getattr(config, key) for key in OWN}, **config.kwargs}


for line in sys.stdin:
    asked = json.loads(line)
    os.environ.update(asked["variables"])
    try:
        values = read_config_file(asked["path"])
        answer = {"values": values, "sections": {name: section(asked["path"], name) for name in asked["sections"]}}
    except RasaException as error:
        answer = {"refused": str(error)}
    sys.stdout.write(f"{json.dumps(answer)}\n")
    sys.stdout.flush()
