"""Every operation of the OpenAPI document, fuzzed from the document: whoever asks and whatever is sent, the answer is
one that the document declares.

A failure shows the request as a curl command and who asked. The same `FUZZ_SEED` sends the same requests again;
`FUZZ_EXAMPLES` says how many random ones there are of each operation, besides those at the edges of its schema.
"""

import os
import secrets
import zlib

import hypothesis
import pytest
import schemathesis
from django.db import transaction
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import negative_data_rejection

from controlplane.requests import Handler
from tests.repeats import NIGHTLY, times

pytestmark = pytest.mark.nightly

SEED = int(os.environ.get("FUZZ_SEED") or (secrets.randbits(32) if NIGHTLY else 1))
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES") or times(5, nightly=300))

REFUSED = ["400", "401", "403", "404", "405", "409", "411", "413", "415", "416", "422", "503"]
CONFIG = SchemathesisConfig.from_dict(
    {
        "seed": SEED,
        "generation": {"max-examples": EXAMPLES, "database": "none"},
        "checks": {
            # What a name, an address or a project to train from must be is more than a JSON schema can say.
            "positive_data_acceptance": {"enabled": False},
            "negative_data_rejection": {"expected-statuses": REFUSED},
        },
        # Constants of the sources would make the requests depend on them.
        "analysis": {"constants": {"enabled": False}},
    }
)
HANDLER = Handler()


def application(environ, start_response):
    """Ends each answer, as a server does and the client of Schemathesis does not."""
    answer = HANDLER(environ, start_response)
    try:
        return list(answer)
    finally:
        answer.close()


schema = schemathesis.openapi.from_wsgi("/api/schema/?format=json", application, config=CONFIG)


def with_names_that_exist(case, known):
    """The same request about things that are there."""
    named = case.derive()
    here = {"name": "production" if "/environments/" in case.path else "brisk-otter", **known}
    if "/models/tags/" in case.path or case.path.startswith("/models/"):
        here["tag"] = "production"
    for members in (named.path_parameters, named.query, named.body):
        if isinstance(members, dict):
            members.update({name: here[name] for name in members if name in here})
    return named


def turn(case, callers):
    """Who asks in a usual run: the administrator, and by turns one of the others. At length everybody does."""
    administrator, *others = callers
    if NIGHTLY:
        return [administrator, *others]
    return [administrator, others[zlib.crc32(repr(case).encode(errors="replace")) % len(others)]]


@schema.parametrize()
@hypothesis.settings(suppress_health_check=list(hypothesis.HealthCheck), deadline=None)
def test_every_answer_is_one_that_the_document_declares(case, known, callers):
    named = with_names_that_exist(case, known)
    # What made a request wrong may be right again with a name that exists.
    for asked, but in [(case, []), (named, [negative_data_rejection])][: 1 if repr(named) == repr(case) else 2]:
        for who in turn(asked, callers):
            with transaction.atomic():
                try:
                    asked.call_and_validate(headers=callers[who], excluded_checks=but)
                except BaseException as failure:
                    failure.add_note(f"Asked by {who}, with FUZZ_SEED={SEED} FUZZ_EXAMPLES={EXAMPLES}.")
                    raise
                finally:
                    transaction.set_rollback(True)
