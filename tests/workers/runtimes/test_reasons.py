"""Rasa's own reason, out of the last it printed; each of these was printed by Rasa 3.6.21."""

import pytest

from workers.runtimes import reasons

WARNING = (
    b"\x1b[93m/opt/rasa/lib/python3.10/site-packages/rasa/shared/utils/io.py:100: UserWarning: The utterance "
    b"'utter_bye' is not used in any story or rule.\n\x1b[0m2026-11-27 02:19:23 ERROR    rasa.engine.graph  - "
    b"Error running graph component for node train_RulePolicy0.\n"
)
CONTRADICTION = (
    "\x1b[91mInvalidRule: \nContradicting rules or stories found 🚨\n\n- the prediction of the action 'utter_bye' \
in rule 'greet otherwise' is contradicting with rule(s) 'greet back'.\nPlease update your stories and rules so that \
they don't contradict each other.\n\x1b[0m\n".encode()
)
SCHEMA = b"""\x1b[91mYamlValidationException: Failed to validate 'project.yml'. Please make sure the file is correct \
and all mandatory parameters are specified. Here are the errors found during validation:
  in project.yml:17:
      Key 'exampels' was not defined. Path: '/nlu/3'\x1b[0m
"""
SLOT = (
    "\x1b[91mUnresolved slots found in stories/rules🚨 \nTried to set slots \"['nosuch']\" that are not present inyour \
domain.\n Check whether they need to be added to the domain or whether there is a spelling error.\x1b[0m\n".encode()
)
TRACE = b"""Traceback (most recent call last):
  File "/opt/rasa/bin/rasa", line 8, in <module>
    sys.exit(main())
  File "/opt/rasa/lib/python3.10/site-packages/rasa/shared/utils/common.py", line 36, in class_from_module_path
    m = importlib.import_module(module_name)
  File "<frozen importlib._bootstrap>", line 1004, in _find_and_load_unlocked
ModuleNotFoundError: No module named 'no_such_module'
"""
CHAINED = b"""Traceback (most recent call last):
  File "a.py", line 1, in <module>
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/opt/rasa/lib/python3.10/site-packages/rasa/engine/graph.py", line 495, in __call__
    output = self._fn(self._component, **run_kwargs)
rasa.engine.exceptions.GraphComponentException: Error running graph component for node run_DIETClassifier4.
"""


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (WARNING + CONTRADICTION, "InvalidRule:\nContradicting rules or stories found 🚨\n- the prediction of"),
        (SCHEMA, "YamlValidationException: Failed to validate 'project.yml'."),
        (SLOT, "Unresolved slots found in stories/rules🚨\nTried to set slots"),
        (b"\x1b[91mNo training data given.\x1b[0m\n", "No training data given."),
        (WARNING + TRACE, "ModuleNotFoundError: No module named 'no_such_module'"),
        (CHAINED, "GraphComponentException: Error running graph component for node run_DIETClassifier4."),
        (b"Traceback (most recent call last):\n  File x\nValueError: the number is odd\n", "the number is odd"),
        (b"Killed\n", reasons.UNKNOWN),
        (b"", reasons.UNKNOWN),
    ],
)
def test_the_reason_is_rasas_own(printed, expected):
    reason = reasons.reason(printed)
    assert reason.startswith(expected)
    assert "Traceback" not in reason
    assert "site-packages" not in reason
    assert "\x1b" not in reason


def test_the_place_of_what_is_wrong_stays_in_it():
    assert "in project.yml:17:" in reasons.reason(SCHEMA)


def test_the_line_that_is_wrong_is_shown():
    document = b"nlu:\n" * 16 + b"  exampels: hi\n"
    shown = reasons.with_lines(reasons.reason(SCHEMA), "project.yml", document)
    assert "in project.yml:17 (exampels: hi):" in shown
    assert reasons.with_lines("project.yml:99", "project.yml", document) == "project.yml:99"
    assert len(reasons.with_lines("project.yml:1 " * 1000, "project.yml", document)) == reasons.MAX_REASON


def test_it_is_bounded():
    assert len(reasons.reason(b"\x1b[91m" + b"x" * 100_000 + b"\x1b[0m")) == reasons.MAX_REASON


@pytest.mark.parametrize("printed", [b"OSError: [Errno 28] No space left on device: '/x'", b"Disk quota exceeded"])
def test_a_full_disk_is_known(printed):
    assert reasons.is_full_disk(TRACE + printed)
    assert not reasons.is_full_disk(TRACE)


@pytest.mark.parametrize("printed", [b"MemoryError", b"terminate called after throwing 'std::bad_alloc'"])
def test_want_of_memory_is_known(printed):
    assert reasons.is_want_of_memory(TRACE + printed)
    assert not reasons.is_want_of_memory(CONTRADICTION)
