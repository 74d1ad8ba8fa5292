from typing import Any

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.db import connections
from django.db.models.signals import post_migrate

from accounts import checks, triggers


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        register(checks.check_append_only, Tags.database)
        post_migrate.connect(install_triggers, sender=self)


def install_triggers(*, using: str, **kwargs: Any) -> None:
    triggers.install(connections[using])
