"""Rasa projects as archives, to send as bundles."""

import io
import tarfile
import zipfile

CONFIG = """
recipe: default.v1
language: en
assistant_id: otters
pipeline:
- name: WhitespaceTokenizer
- name: KeywordIntentClassifier
policies:
- name: RulePolicy
"""
DOMAIN = """
version: "3.1"
intents: [greet, bye]
responses:
  utter_greet:
  - text: Hello
"""
NLU = """
version: "3.1"
nlu:
- intent: greet
  examples: |
    - hi
    - hello
- intent: bye
  examples: |
    - bye
"""
RULES = """
rules:
- rule: greet back
  steps:
  - intent: greet
  - action: utter_greet
"""

# Two examples of each intent, so that a part can be held out.
MORE_NLU = """
version: "3.1"
nlu:
- intent: greet
  examples: |
    - hi
    - hello
    - good day
- intent: bye
  examples: |
    - bye
    - see you
    - take care
"""
TEST_NLU = """
version: "3.1"
nlu:
- intent: greet
  examples: |
    - hi there
    - hello
- intent: bye
  examples: |
    - bye for now
"""
TEST_STORIES = """
version: "3.1"
stories:
- story: greeted
  steps:
  - user: |
      hi there
    intent: greet
  - action: utter_greet
"""

Tree = dict[str, str | bytes]


def tree(**changes: str | bytes | None) -> Tree:
    """A small project; a change's key is a path with `__` for `/`, or give a dict to `zipped` directly."""
    files: dict[str, str | bytes | None] = {
        "config.yml": CONFIG,
        "domain.yml": DOMAIN,
        "data/nlu.yml": NLU,
        "data/rules.yml": RULES,
    }
    files |= {path.replace("__", "/") + ".yml": text for path, text in changes.items()}
    return {path: text for path, text in files.items() if text is not None}


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def zipped(files: Tree | None = None) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in (tree() if files is None else files).items():
            archive.writestr(zipfile.ZipInfo(path), _bytes(text))
    return packed.getvalue()


def tarred(files: Tree | None = None) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, text in (tree() if files is None else files).items():
            member = tarfile.TarInfo(path)
            member.size = len(_bytes(text))
            archive.addfile(member, io.BytesIO(_bytes(text)))
    return packed.getvalue()
