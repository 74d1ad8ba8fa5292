"""`manage.py rotate_keys`: new keys for stored secrets and for the tokens of `/api/auth`."""

from typing import Any

from django.core.management.base import BaseCommand

from accounts.actions import keys
from accounts.actor import COMMAND, system


class Command(BaseCommand):
    help = (
        "Make new keys: stored secrets are sealed again, and tokens of /api/auth are signed with a new one. "
        "Safe while everything runs; no token and no session ends."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        removed = keys.tidy()
        rotated = keys.rotate(by=system(COMMAND))
        self.stdout.write(f"Secrets sealed again with the new key {rotated.sealing_key}: {rotated.secrets}.")
        for secret in rotated.unreadable:
            self.stdout.write(
                f"Left as it was, for its key is missing: {secret}. Add the earlier installation key to "
                "CONTROLPLANE_SECRET_KEY_FALLBACKS and run this again, or give the secret anew."
            )
        self.stdout.write(f"Tokens of /api/auth are signed with the new key {rotated.signing_key}.")
        self.stdout.write(
            "The keys before are removed when nothing needs them: those of secrets after an hour, those of tokens "
            f"after nine. Removed now: {removed}."
        )
