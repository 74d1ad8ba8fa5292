"""`status`: which model each environment should serve, and what its servers prove."""

from argparse import ArgumentParser
from typing import Any

from cpctl.api import segment
from cpctl.commands import Commands, command
from cpctl.context import Context
from cpctl.exits import Exit
from cpctl.terminal import clean, table

MANY = 500
HEAD = ("ENVIRONMENT", "MODEL", "SYNC", "HEALTH", "REPLICAS", "SINCE", "BY")


def add(commands: Commands, shared: ArgumentParser) -> None:
    made = command(commands, "status", status, shared=shared, help="show what each environment serves")
    made.add_argument("environment", nargs="?", metavar="ENVIRONMENT", help="one alone, with its replicas")


def status(context: Context) -> Exit:
    name = context.options.environment
    if name is None:
        found = context.api.pages("environments/", {}, MANY)
        found.sort(key=lambda environment: environment["order"])
        context.tell(found, lambda: _environments(found))
        return Exit.OK
    environment = context.api.get(f"environments/{segment(name)}/")
    servers = context.api.get(f"environments/{segment(name)}/replicas/")
    context.tell(
        environment | {"servers": servers}, lambda: "\n".join([_environments([environment]), *_servers(servers)])
    )
    return Exit.OK


def _environments(found: list[Any]) -> str:
    if not found:
        return "There are no environments, or none that you may see."
    lines = [table(HEAD, [_row(environment) for environment in found])]
    for environment in found:
        lines += [f"! {environment['name']}: {clean(reason)}" for reason in environment["reasons"]]
    return "\n".join(lines)


def _row(environment: Any) -> tuple[str, ...]:
    replicas = environment["replicas"]
    return (
        environment["name"],
        environment["model"]["name"] if environment["model"] else "-",
        environment["sync"],
        environment["health"],
        f"{replicas['serving']}/{replicas['expected']}",
        (environment["since"] or "-")[:16].replace("T", " "),
        environment["promoted_by"] or "-",
    )


def _servers(servers: list[Any]) -> list[str]:
    if not servers:
        return ["", "No server of it was heard of yet."]
    rows = [
        (
            server["name"],
            server["state"],
            server["model"] or "-",
            (server["last_poll_at"] or "-")[:19],
            server["reason"],
        )
        for server in servers
    ]
    return ["", table(("REPLICA", "STATE", "MODEL", "LAST POLL", "REASON"), rows)]
