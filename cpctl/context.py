"""What each command gets: its options, the control plane, and where to write."""

import json
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cpctl import accounts
from cpctl.api import Api
from cpctl.terminal import Terminal
from cpctl.waiting import Deadline


@dataclass
class Context:
    """`going_on` says what goes on at the control plane without us, and how to see or end it: for Ctrl-C."""

    options: Namespace
    terminal: Terminal
    environ: dict[str, str]
    going_on: str = ""

    @property
    def as_json(self) -> bool:
        return bool(getattr(self.options, "json", False))

    @property
    def project(self) -> str:
        return getattr(self.options, "project", None) or self.environ.get(accounts.PROJECT) or "default"

    @cached_property
    def account(self) -> accounts.Account:
        return accounts.find(
            url=getattr(self.options, "url", None),
            ca_file=getattr(self.options, "ca_file", None),
            environ=self.environ,
        )

    @cached_property
    def api(self) -> Api:
        return Api(self.account, self.project, self.terminal)

    def tell(self, document: Any, text: str | Callable[[], str]) -> None:
        """The result: `document` for machines, `text` for people."""
        if self.as_json:
            self.terminal.result(json.dumps(document, indent=2))
        else:
            self.terminal.result(text if isinstance(text, str) else text())

    def deadline(self, what: str, hint: str) -> Deadline:
        """Of a wait that may be ended without ending `what`."""
        self.going_on = f"{what} goes on. {hint}"
        return Deadline(self.api, self.options.timeout, what, hint)

    def close(self) -> None:
        if "api" in self.__dict__:
            self.api.close()
