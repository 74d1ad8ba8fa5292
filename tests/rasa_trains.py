"""Run by the Python of a real Rasa: trains each project of {name: {path: text}} from standard input, and prints
{name: error}, with "" for those that Rasa trains."""

import contextlib
import json
import os
import pathlib
import sys
import tempfile
import warnings

os.environ["RASA_TELEMETRY_ENABLED"] = "false"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.simplefilter("ignore")


def trained(files: dict[str, str]) -> str:
    from rasa.model_training import train  # noqa: PLC0415  # nothing of it is known to the tests

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for path, text in files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text)
        places = {"domain": "domain.yml", "config": "config.yml", "training_files": "data", "output": "models"}
        try:
            made = train(**{key: str(folder / place) for key, place in places.items()}, force_training=True)
        except BaseException as error:
            return f"{type(error).__name__}: {error}"[:500]
        return "" if made.model else "no model"


if __name__ == "__main__":
    projects = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        ends = {name: trained(files) for name, files in projects.items()}
    print(json.dumps(ends))  # noqa: T201
