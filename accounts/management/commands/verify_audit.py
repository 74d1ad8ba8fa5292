import time
from argparse import ArgumentParser, ArgumentTypeError
from itertools import islice
from typing import Any

from django.core.management import BaseCommand

from accounts.audit_chain import Head, parse_head
from accounts.models import AuditEvent
from accounts.verification import Verification

TOLD = 100
SAY_EVERY = 0.2  # seconds


def head(text: str) -> Head:
    parsed = parse_head(text)
    if parsed is None:
        raise ArgumentTypeError("a head is what an earlier verify_audit printed: POSITION:HASH")
    return parsed


class Command(BaseCommand):
    help = "Check the audit trail against its hash chain; print the head of the chain, to be kept elsewhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--head", type=head, metavar="POSITION:HASH", help="kept from an earlier run")

    def handle(self, *args: Any, **options: Any) -> None:
        verification = Verification(options["head"], self._progress())
        findings = verification.findings()
        told = 0
        for sentence in islice(findings, TOLD):
            told += 1
            self.stderr.write(sentence)
        more = sum(1 for _ in findings)
        if more:
            self.stderr.write(f"… and {more} more findings.")
        if told:
            self.stderr.write(f"Keep the head {verification.head} only when each finding is explained.")
            raise SystemExit(1)
        self.stdout.write(str(verification.head))

    def _progress(self) -> Any:
        """Says on a terminal how far it is; a count of all events costs a second of a million."""
        if not self.stderr.isatty():
            return lambda done: None
        total, said = AuditEvent.objects.count(), 0.0

        def say(done: int) -> None:
            nonlocal said
            if time.monotonic() - said > SAY_EVERY or done == total:
                said = time.monotonic()
                self.stderr.write(f"\r{done} of {total} events", str, ending="\n" if done == total else "")

        return say
