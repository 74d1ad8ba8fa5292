"""`login`, `logout`, `whoami`: who one is at which control plane."""

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from cpctl import accounts
from cpctl.accounts import Account
from cpctl.api import Api
from cpctl.commands import Commands, command
from cpctl.context import Context
from cpctl.exits import Exit
from cpctl.failures import usage

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def add(commands: Commands, shared: ArgumentParser) -> None:
    made = command(commands, "login", login, shared=shared, help="sign in, and keep the token for the next commands")
    made.add_argument("address", nargs="?", metavar="URL", help="of the control plane")
    made.add_argument(
        "--username", help="sign in with a password, for eight hours; without it an API token is asked for"
    )
    command(commands, "logout", logout, shared=shared, help="forget the token that login kept")
    command(commands, "whoami", whoami, shared=shared, help="show who one is, and what one may do")


def login(context: Context) -> Exit:
    url = _url(context)
    ca_file = getattr(context.options, "ca_file", None) or context.environ.get(accounts.CA_FILE, "")
    username = context.options.username
    terminal = context.terminal
    if url.startswith("http://") and url.split("/")[2].split(":")[0] not in LOCAL:
        terminal.say(f"{url} is not encrypted: whoever sees the network sees the token.", "yellow")
    if username:
        api = Api(Account(url, "", ca_file), context.project, terminal)
        try:
            token = api.sign_in(username, _secret(context, f"Password of {username}: "))
        finally:
            api.close()
    else:
        token = context.environ.get(accounts.TOKEN) or _secret(context, "API token: ")
        token = accounts.checked_token(token, "the input")
    if not token:
        raise usage("The token is empty. Make one on the page Access, or with manage.py create_token.")
    account = Account(url, token, ca_file)
    me = _me(context, account)
    path = accounts.store(Account(url, token, ca_file, me["username"]), context.environ)
    terminal.say(f"The token is kept in {path}, readable by you alone.", "dim")
    context.tell({"url": url, **me}, f"signed in at {url} as {me['username']}")
    return Exit.OK


def _url(context: Context) -> str:
    named = context.options.address or getattr(context.options, "url", None) or context.environ.get(accounts.URL)
    if not named:
        stored = accounts.load(context.environ)
        named = stored.url if stored else ""
    if not named:
        raise usage("Name the control plane: cpctl login URL.")
    return accounts.canonical(named)


def _secret(context: Context, prompt: str) -> str:
    """Typed unseen on a terminal, else the first line that is piped in."""
    if sys.stdin.isatty():
        try:
            return getpass.getpass(prompt)
        except EOFError:
            return ""
    return sys.stdin.readline().rstrip("\r\n")


def _me(context: Context, account: Account) -> dict[str, Any]:
    api = Api(account, context.project, context.terminal)
    try:
        found: dict[str, Any] = api.get("me/")
        return found
    finally:
        api.close()


def logout(context: Context) -> Exit:
    forgotten = accounts.forget(context.environ)
    text = (
        "the token is forgotten here; revoke it on the page Access to end it" if forgotten else "nobody was signed in"
    )
    context.tell({"forgotten": forgotten}, text)
    return Exit.OK


def whoami(context: Context) -> Exit:
    me = context.api.get("me/")
    lines = [f"{me['username']} at {context.account.url}"]
    for project in me["projects"]:
        roles = ", ".join(project["roles"]) or "no role"
        lines += [f"{project['name']}: {roles}", *(f"  {grant}" for grant in project["grants"])]
    context.tell(me, "\n".join(lines))
    return Exit.OK
