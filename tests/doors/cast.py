"""Who asks: one caller for each kind of credential and of person, named as the failures shall read."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import jwt
from django.test import Client
from django.utils import timezone

from accounts.actions import api_tokens
from accounts.actor import API, Actor
from accounts.models import ApiToken, Role, User
from environments.serving.service_tokens import service_token
from tests.doors.world import World
from tests.factories import UserFactory, jwt_of

CSRF = "a" * 32
ROLES = ("admin", "developer", "annotator", "tester")
NARROWED_TO = frozenset({"environments.read", "models.read"})
# Signed with a secret of their own.
FORGED = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VybmFtZSI6ImFkbWluIiwic2NvcGVzIjpbXX0.c2lnbmVkLWJ5LW5vYm9keQ"
UNSIGNED = "eyJhbGciOiJub25lIn0.eyJ1c2VybmFtZSI6ImFkbWluIiwic2NvcGVzIjpbXX0."


@dataclass(frozen=True)
class Caller:
    """`role` is that of project `default`, None without one there. `sends`: session, cookie (one that is none any
    more), bearer, end user, api_token, signature (of the body) or nothing. `server`: whose service token. `active`:
    whether the credential is good; that of an end user opens the chat all the same."""

    name: str
    client: Client
    sends: str
    query: str = ""
    user: str | None = None
    role: str | None = None
    server: str | None = None
    active: bool = True
    csrf: bool = True
    narrowed_to: frozenset[str] | None = None

    def __str__(self) -> str:
        return self.name


def client_with(*, csrf: bool = True, bearer: str | None = None) -> Client:
    headers = {"x-csrftoken": CSRF} if csrf else {}
    if bearer is not None:
        headers["authorization"] = f"Bearer {bearer}"
    client = Client(enforce_csrf_checks=True, raise_request_exception=False, headers=headers)
    client.cookies["csrftoken"] = CSRF
    return client


def session_of(user: User, *, csrf: bool = True) -> Client:
    client = client_with(csrf=csrf)
    client.force_login(user)
    return client


def token_of(user: User, **options: object) -> tuple[ApiToken, str]:
    return api_tokens.create(user=user, name="test", by=Actor(user=user, via=API), **options)


def person(username: str, role: str | None, project: object = None) -> User:
    user = UserFactory(username=username)
    if role is not None:
        user.groups.add(Role.objects.get(project=project, name=role).group_id)
    return user


def callers(world: World, installation_token: str) -> list[Caller]:
    return [
        Caller("nobody", client_with(), "nothing", active=False),
        *_people(world),
        *_ended(world),
        *_servers(world, installation_token),
        Caller("a git server", client_with(), "signature", active=False),
        Caller("an end user's JWT", client_with(bearer=_of_an_end_user(world)), "end user", active=False),
        Caller("a forged JWT", client_with(bearer=FORGED), "bearer", active=False),
        Caller("an unsigned JWT", client_with(bearer=UNSIGNED), "bearer", active=False),
    ]


def _people(world: World) -> Iterator[Caller]:
    users = {role: person(role, role, world.project) for role in ROLES if role != "admin"} | {"admin": world.admin}
    for role, user in users.items():
        _, secret = token_of(user)
        yield Caller(f"{role} by token", client_with(bearer=secret), "bearer", user=role, role=role)
        yield Caller(f"{role} in a session", session_of(user), "session", user=role, role=role)
    token = jwt_of(users["developer"])
    yield Caller("developer by JWT", client_with(bearer=token), "bearer", user="developer", role="developer")
    for name, user in {
        "outsider": person("outsider", None),
        "banker": person("banker", "admin", world.banking),
    }.items():
        _, secret = token_of(user)
        yield Caller(f"{name} by token", client_with(bearer=secret), "bearer", user=name)
        yield Caller(f"{name} in a session", session_of(user), "session", user=name)
    admin = {"user": "admin", "role": "admin"}
    yield Caller("admin without CSRF token", session_of(world.admin, csrf=False), "session", csrf=False, **admin)
    _, secret = token_of(world.admin)
    yield Caller("admin by ?api_token=", client_with(), "api_token", query=f"api_token={secret}", **admin)
    _, secret = token_of(world.admin, grants=NARROWED_TO)
    yield Caller("admin by a narrowed token", client_with(bearer=secret), "bearer", narrowed_to=NARROWED_TO, **admin)


def _ended(world: World) -> Iterator[Caller]:
    """Those who were administrators, and tokens of the administrator that were good."""
    user = person("inactive", "admin", world.project)
    _, secret = token_of(user)
    session = session_of(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    yield Caller("inactive by token", client_with(bearer=secret), "bearer", active=False)
    yield Caller("inactive by JWT", client_with(bearer=jwt_of(user)), "bearer", active=False)
    yield Caller("inactive in a session", session, "cookie", active=False)
    token, secret = token_of(world.admin)
    ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    yield Caller("an expired token", client_with(bearer=secret), "bearer", active=False)
    token, secret = token_of(world.admin)
    api_tokens.revoke(token=token, by=Actor(user=world.admin, via=API))
    yield Caller("a revoked token", client_with(bearer=secret), "bearer", active=False)


def _of_an_end_user(world: World) -> str:
    """Who may use any conversation of production, as its Rasa server sees it."""
    production = world.environments["production"]
    production.jwt_secret = "the secret that end users' tokens are signed with"
    production.save()
    claims = {"user": {"username": "boss", "role": "admin"}}
    return jwt.encode(claims, production.jwt_secret, algorithm="HS256")


def _servers(world: World, installation_token: str) -> Iterator[Caller]:
    for name, environment in world.environments.items():
        token = service_token(environment)
        yield Caller(f"server of {name}", client_with(bearer=token), "bearer", server=name)
    query = f"token={service_token(world.environments['production'])}"
    yield Caller("server of production by ?token=", client_with(), "token", query=query, server="production")
    yield Caller("RASA_X_TOKEN", client_with(bearer=installation_token), "bearer", server="RASA_X_TOKEN")
