"""System checks of the database: that nobody can change the audit trail (docs/configuration.md)."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error
from django.db import connections

from accounts import triggers


def check_append_only(
    app_configs: Sequence[AppConfig] | None, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Runs where a database is named: `manage.py check --database default`."""
    missing = [name for alias in databases or () for name in triggers.missing(connections[alias])]
    if not missing:
        return []
    return [
        Error(
            f"The audit trail can be changed: triggers are missing or disabled ({', '.join(missing)}).",
            hint="Run manage.py prepare, as every start does: it puts them back. Then run manage.py verify_audit.",
            id="accounts.E001",
        )
    ]
