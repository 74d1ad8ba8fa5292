"""People who try to get more than they were given. Each test is an attempt, through every door that it could go by."""

import json

import pytest
from django.apps import apps

from accounts.actor import API, Actor
from accounts.models import Role, User
from environments import role_grants
from environments.actions import roles, users
from environments.models import Environment
from tests.doors import cast, untouched, world
from tests.doors.rows import ROWS
from tests.factories import UserFactory, give, jwt_of

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PRODUCTION = "environments.production.write"
# What a person who manages people holds: all about users and roles, nothing of production.
MANAGES_PEOPLE = ("environments.read", "models.read", "users.read", "users.write", "roles.read", "roles.write")
ACCESS = "/p/default/access"


@pytest.fixture
def made(db, sent):
    return world.make()


@pytest.fixture
def rita(made):
    """Manages people by the role `managers`; has tokens of her own too."""
    user = UserFactory(username="rita")
    role = give(user, made.project, *MANAGES_PEOPLE, "tokens.write")
    role.name = "managers"
    role.save()
    return user


@pytest.fixture
def by_admin(made):
    return Actor(user=made.admin, via=API)


def by_token(user, **options):
    return cast.client_with(bearer=cast.token_of(user, **options)[1])


def send(client, method, path, body):
    """JSON to the API, a form to a page."""
    if isinstance(body, str):
        return client.generic(method, path, body, content_type=FORM)
    return client.generic(method, path, json.dumps(body), content_type=JSON)


ONESELF = {
    "a role of more": ("PUT", "/api/users/rita/roles", ["admin"]),
    "one more role": ("PUT", "/api/users/rita/roles", ["managers", "developer"]),
    "the members of admin": ("PUT", "/api/roles/admin/users", ["admin", "rita"]),
    "the role one holds": ("PUT", "/api/roles/managers", {"grants": {"environments": ["production.write"]}}),
    "a wildcard in it": ("PUT", "/api/roles/managers", {"grants": {"environments": ["*.write"]}}),
    "a new role": ("POST", "/api/roles", {"role": "x", "grants": {"environments": ["production.write"]}}),
    "the role of everybody new": ("PUT", "/api/roles/developer", {"is_default": True}),
    "a new default role": ("POST", "/api/roles", {"role": "x", "grants": {"audit": ["read"]}, "is_default": True}),
    "a puppet": ("POST", "/api/users", {"username": "puppet", "password": "correct horse 7", "roles": ["admin"]}),
    "a service account": ("POST", "/api/users", {"username": "p", "service_account": True, "roles": ["developer"]}),
    "a token": ("POST", "/api/v1/tokens/", {"name": "t", "grants": [PRODUCTION]}),
    "a token for everywhere": ("POST", "/api/v1/tokens/", {"name": "t", "grants": ["environments.*.write"]}),
    "the administrator's account": ("DELETE", "/api/users/admin", None),
    "the administrator's role": ("DELETE", "/api/users/admin/roles/admin", None),
    "the administrator's roles": ("PUT", "/api/users/admin/roles", []),
    "the administrators": ("PUT", "/api/roles/admin/users", ["rita"]),
    "the role admin": ("PUT", "/api/roles/admin", {"grants": {"users": ["read"]}}),
    "the name admin": ("PATCH", "/api/user", {"username": "Admin"}),
    "the page: a role of more": ("POST", f"{ACCESS}/users/rita/roles/", "role=admin&role=managers&had=managers"),
    "the page: the role one holds": (
        "POST",
        f"{ACCESS}/roles/managers/",
        f"name=managers&grant={PRODUCTION}&grant=models.read&seen=models.read",
    ),
    "the page: a new role": ("POST", f"{ACCESS}/new-role/", f"name=x&grant={PRODUCTION}"),
    "the page: a wildcard": ("POST", f"{ACCESS}/new-role/", "name=x&grant=environments.*.write"),
    "the page: a puppet": ("POST", f"{ACCESS}/new-user/", "username=puppet&kind=person&role=admin"),
    "the page: a service account": ("POST", f"{ACCESS}/new-user/", "username=puppet&kind=service&role=developer"),
    "the page: the members of admin": ("POST", f"{ACCESS}/roles/admin/members/", "add=rita"),
    "the page: its members, less one": ("POST", f"{ACCESS}/roles/admin/members/", "remove=admin"),
    "the page: a link to another's password": ("POST", f"{ACCESS}/users/admin/link/", ""),
    "the page: another's account": ("POST", f"{ACCESS}/users/admin/deactivate/", ""),
    "the page: a token of a service account": ("POST", f"{ACCESS}/users/ci/tokens/", "name=t&days=90"),
    "the page: another's token": ("POST", f"{ACCESS}/tokens/{{token}}/revoke/", ""),
    "the page: the default role": ("POST", f"{ACCESS}/roles/developer/", "name=developer&is_default=on"),
}


@pytest.mark.parametrize("attempt", ONESELF)
def test_who_manages_people_gets_no_more_than_she_has(made, rita, attempt):
    """She holds users.write and roles.write, and reaches for production with them."""
    robot = UserFactory(username="ci", service_of=made.project)
    robot.groups.add(Role.objects.get(project=made.project, name="developer").group_id)
    token, _ = cast.token_of(made.admin)
    method, path, body = ONESELF[attempt]
    client = cast.session_of(rita) if path.startswith("/p/") else by_token(rita)
    before = untouched.fingerprint()
    answer = send(client, method, path.format(token=token.pk), body)
    assert answer.status_code in (400, 403, 404, 409, 302), answer.content
    assert untouched.fingerprint() == before
    assert by_token(rita).put("/api/models/calm-heron/tags/production").status_code == 403


# Of everybody's own: not of a project.
OWN = ("a token", "a token for everywhere", "the name admin")


@pytest.mark.parametrize("attempt", [attempt for attempt in ONESELF if attempt not in OWN])
def test_the_administrator_of_one_project_is_nobody_in_another(made, attempt):
    """All of it again by who holds everything, but in `banking` alone: there is nothing to be seen."""
    banker = cast.person("banker", "admin", made.banking)
    UserFactory(username="ci", service_of=made.project)
    token, _ = cast.token_of(made.admin)
    method, path, body = ONESELF[attempt]
    client = cast.session_of(banker) if path.startswith("/p/") else by_token(banker)
    before = untouched.fingerprint()
    assert send(client, method, path.format(token=token.pk), body).status_code == 404
    assert untouched.fingerprint() == before


ACCOUNTS = [
    ("DELETE", "/api/users/admin?project=banking", None),
    ("POST", "/api/users?project=banking", {"username": "puppet", "roles": ["admin"]}),
    ("POST", "/api/users?project=banking", {"username": "puppet", "service_account": True, "roles": []}),
    ("GET", "/api/users?project=banking", None),
    ("POST", "/p/banking/access/new-user/", "username=puppet&kind=person&role=admin"),
    ("POST", "/p/banking/access/users/admin/deactivate/", ""),
    ("POST", "/p/banking/access/users/admin/link/", ""),
    ("POST", "/p/banking/access/users/admin/unlock/", ""),
    ("POST", "/p/banking/access/users/ci/tokens/", "name=t&days=90"),
    ("POST", "/p/banking/access/tokens/{token}/revoke/", ""),
    ("GET", "/p/banking/access/tokens/", None),
    ("GET", "/p/banking/access/users/admin/", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ACCOUNTS)
def test_nor_does_their_own_project_lead_to_the_accounts(made, method, path, body):
    """Accounts are of the whole installation: who administers one project makes, resets, sees and ends none."""
    banker = cast.person("banker", "admin", made.banking)
    UserFactory(username="ci", service_of=made.banking)
    token, _ = cast.token_of(made.admin)
    client = cast.session_of(banker) if path.startswith("/p/") else by_token(banker)
    before = untouched.fingerprint()
    assert send(client, method, path.format(token=token.pk), body).status_code == 404
    assert untouched.fingerprint() == before


ADMINISTRATION = [
    ("DELETE", "/api/users/admin", None),
    ("DELETE", "/api/users/admin/roles/admin", None),
    ("PUT", "/api/users/admin/roles", []),
    ("PUT", "/api/users/admin/roles", ["developer"]),
    ("PUT", "/api/roles/admin/users", []),
    ("PUT", "/api/roles/admin/users", ["ci"]),
    ("DELETE", "/api/roles/admin", None),
    ("PUT", "/api/roles/admin", {"role": "administrators"}),
    ("PUT", "/api/roles/admin", {"grants": {}}),
    ("POST", f"{ACCESS}/users/admin/deactivate/", ""),
    ("POST", f"{ACCESS}/users/admin/roles/", "had=admin"),
    ("POST", f"{ACCESS}/roles/admin/members/", "remove=admin"),
    ("POST", f"{ACCESS}/roles/admin/delete/", ""),
    ("POST", f"{ACCESS}/roles/admin/", "name=admin&seen=models.read"),
]


@pytest.mark.parametrize(("method", "path", "body"), ADMINISTRATION)
def test_the_last_administrator_does_not_go_by_any_door(made, method, path, body):
    UserFactory(username="ci", service_of=made.project)
    client = cast.session_of(made.admin) if path.startswith("/p/") else by_token(made.admin)
    answer = send(client, method, path, body)
    assert answer.status_code in (400, 403, 409, 302), answer.content
    assert [user.username for user in roles.administrators(made.project)] == ["admin"]
    assert by_token(made.admin).get("/api/users").status_code == 200


# Credentials that were good


def credentials(user):
    return {
        "session": cast.session_of(user),
        "token": by_token(user),
        "JWT": cast.client_with(bearer=jwt_of(user)),
    }


def test_a_demotion_counts_at_the_next_request_of_every_credential(made, by_admin):
    maria = cast.person("maria", "admin", made.project)
    clients = credentials(maria)
    assert {client.get("/api/users").status_code for client in clients.values()} == {200}
    roles.set_roles(user=maria, project=made.project, roles=[], by=by_admin)
    assert {name: client.get("/api/users").status_code for name, client in clients.items()} == dict.fromkeys(
        clients, 404
    )


def test_nothing_of_a_deactivated_account_comes_back_with_it(made, by_admin):
    maria = cast.person("maria", "admin", made.project)
    clients = credentials(maria)
    users.deactivate(user=maria, by=by_admin)
    assert {client.get("/api/users").status_code for client in clients.values()} == {401}
    assert clients["session"].get("/p/default/").headers["Location"].startswith("/sign-in/")
    users.activate(user=maria, by=by_admin)
    assert {client.get("/api/users").status_code for client in clients.values()} == {401}
    assert clients["session"].get("/p/default/").headers["Location"].startswith("/sign-in/")


# Tokens that make tokens


@pytest.mark.parametrize(
    "body",
    [
        {"name": "t"},
        {"name": "t", "grants": None},
        {"name": "t", "grants": ["tokens.write", "models.read", "models.write"]},
        {"name": "t", "grants": ["tokens.write", PRODUCTION]},
    ],
)
def test_a_narrowed_token_makes_none_that_is_wider(made, body):
    before = untouched.fingerprint()
    token, secret = cast.token_of(made.admin, grants=["tokens.write", "models.read"])
    answer = send(cast.client_with(bearer=secret), "POST", "/api/v1/tokens/", body)
    token.delete()
    assert answer.status_code in (400, 403)
    assert untouched.fingerprint() == before


@pytest.mark.parametrize("attempt", [name for name in ONESELF if not name.startswith("the page")])
def test_a_token_for_people_alone_gets_its_owner_no_further(made, attempt):
    """An administrator's token, narrowed to users and roles: whoever finds it is not the administrator."""
    cast.person("rita", "tester", made.project)
    give(User.objects.get(username="rita"), made.project, "models.read")
    Role.objects.exclude(name__in=["admin", "developer", "annotator", "tester", "helper"]).update(name="managers")
    client = by_token(made.admin, grants=[*MANAGES_PEOPLE, "tokens.write"])
    before = untouched.fingerprint()
    answer = send(client, *ONESELF[attempt])
    assert answer.status_code in (400, 403, 404, 409), answer.content
    assert untouched.fingerprint() == before


# Those who define environments and may not promote to them


@pytest.fixture
def guarded(made):
    """`staging`, of the API, is protected; mona manages environments and promotes to none."""
    staging = made.environments["staging"]
    staging.protected = True
    staging.save()
    roles.follow_protection(environment=staging, by=Actor(user=made.admin, via=API))
    mona = UserFactory(username="mona")
    give(mona, made.project, "environments.read", "environments.manage", "models.read", "models.write")
    mona.groups.add(Role.objects.get(project=made.project, name="developer").group_id)
    return by_token(mona)


URL = {"url": "http://127.0.0.1:9"}
STAGING = "/api/v1/environments/staging/"
AGAIN = "/api/v1/environments/"
UNGUARDED = {
    "unprotected": [("PATCH", STAGING, {"protected": False})],
    "following one she may": [("PATCH", STAGING, {"follows": "experimental"})],
    "both at once": [("PATCH", STAGING, {"protected": False, "follows": "experimental"})],
    "protected, and following": [("PATCH", STAGING, {"protected": True, "follows": "experimental"})],
    "defined again, unprotected": [("DELETE", STAGING, None), ("POST", AGAIN, {"name": "staging", "protected": False})],
    "defined again, as by default": [("DELETE", STAGING, None), ("POST", AGAIN, {"name": "staging"})],
    "defined again, following": [
        ("DELETE", STAGING, None),
        ("POST", AGAIN, {"name": "staging", "protected": True, "follows": "experimental"}),
    ],
    "defined again as a worker": [
        ("DELETE", STAGING, None),
        ("POST", AGAIN, {"name": "staging", "protected": True, "kind": "training", "follows": "experimental"}),
    ],
    "by the list of Rasa X": [("DELETE", STAGING, None), ("PUT", "/api/environments", [{"name": "staging"}])],
    "left out of the list, then in it": [
        ("PUT", "/api/environments?prune=true", []),
        ("PUT", "/api/environments", [{"name": "staging"}]),
    ],
    "of another case": [("POST", AGAIN, {"name": "Staging"})],
}


def with_url(body):
    if isinstance(body, list):
        return [{**item, **URL} for item in body]
    return {**body, **URL} if body and "name" in body else body


@pytest.mark.parametrize("attempt", UNGUARDED)
def test_who_defines_environments_opens_none_for_herself(made, guarded, attempt):
    """She holds environments.manage, and `write` on what is unprotected, as a developer."""
    for method, path, body in UNGUARDED[attempt]:
        answer = send(guarded, method, path, with_url(body))
    assert answer.status_code in (400, 403, 409), answer.content
    staging = Environment.objects.get(name="staging")
    assert (staging.protected, staging.follows) == (True, None)
    developer = Role.objects.get(project=made.project, name="developer")
    assert "environments.staging.write" not in role_grants.of_role(developer)
    promoted = send(guarded, "POST", f"{STAGING}promotions/", {"model": "calm-heron"})
    assert promoted.status_code in (403, 404, 409)


# What is sent besides


def every_field():
    """The name of each field of each model, and of what Django's own users had."""
    names = {field.name for model in apps.get_models() for field in model._meta.get_fields()}
    ids = {getattr(field, "attname", field.name) for model in apps.get_models() for field in model._meta.get_fields()}
    return sorted(names | ids | {"is_superuser", "is_staff", "user_permissions", "by", "via", "actor"})


def _has_members(row):
    """A body of ours. What a git server signs is its own, and another one is not signed."""
    return isinstance(row.json, dict) and row.ok < 300 and row.needs != ("signature",)


@pytest.mark.parametrize("row", [row for row in ROWS if _has_members(row)], ids=str)
def test_members_that_are_nobodys_to_set_are_refused_or_change_nothing(made, row):
    """Mass assignment, one member at a time, by somebody who may all that the body says."""
    client = by_token(made.admin)
    path = row.path.format(**made.places)
    known = set(row.json) | KNOWN
    through = []
    for name in every_field():
        if name in known:
            continue
        answer = send(client, row.method, path, {**row.json, name: True})
        if answer.status_code != 400 and path.startswith("/api/v1/"):
            through.append((name, answer.status_code))
        if f'"{name}": true' in answer.content.decode() and name not in ("enterprise",):
            through.append((name, "is in the answer"))
    assert through == []
    admin = User.objects.get(pk=made.admin.pk)
    assert (admin.is_active, admin.service_of, admin.credential_generation) == (True, None, 1)


# Members that some body takes: what they do is tested with that route.
KNOWN = {
    *("name", "url", "kind", "protected", "follows", "color", "replicas", "workers", "pull_interval", "rasa_x_writes"),
    *("jwt_secret", "token", "reason", "expected", "force", "dry_run", "to", "model", "bundle", "config", "model_name"),
    *("tags", "grants", "expires_at", "username", "password", "roles", "email", "service_account", "role"),
    *("description", "is_default", "message", "grace_hours", "enabled"),
}


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH"])
def test_no_header_makes_another_method_of_a_request(made, header, method):
    client = by_token(made.admin)
    before = untouched.fingerprint()
    for path in ("/api/users/someone", "/api/v1/environments/staging/", "/api/roles/helper", "/api/user"):
        for sent in ("GET", "POST"):
            client.generic(sent, f"{path}?_method={method}", b"", headers={header.lower(): method})
    assert untouched.fingerprint() == before


# Coming in


@pytest.fixture
def door(made, client):
    made.admin.set_password("a good long password")
    made.admin.save()
    return client


def sign_in(client, **more):
    body = {"username": "admin", "password": "a good long password", **more}
    return client.post("/sign-in/", body)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "https://evil.example/",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "http:evil",
        ),
        *(
            "javascript:alert(1)",
            "data:text/html,x",
            "https:evil.example",
            "//evil.example/p/default/",
            "/%5Cevil.example",
        ),
        *(
            "https://testserver@evil.example/",
            "https://testserver.evil.example/",
            "\t//evil.example",
            "ftp://testserver/",
        ),
    ],
)
def test_the_sign_in_leads_to_no_other_site(door, address):
    response = sign_in(door, next=address)
    assert response.status_code == 302
    assert response.headers["Location"] == "/" or response.headers["Location"].startswith("/%5C")


def test_the_session_before_the_sign_in_is_nobodys_afterwards(door, made):
    """Session fixation: whoever planted the key does not have the session."""
    door.get("/sign-in/")
    session = door.session
    session["planted"] = True
    session.save()
    planted = session.session_key
    door.cookies["sessionid"] = planted
    assert sign_in(door).status_code == 302
    assert door.cookies["sessionid"].value != planted
    other = cast.client_with()
    other.cookies["sessionid"] = planted
    assert other.get("/api/v1/me/").status_code == 401


@pytest.mark.parametrize("path", ["/sign-in/", "/api/auth"])
def test_another_address_in_a_header_is_no_other_address(door, settings, path):
    """Wrong passwords are counted by address; a header from who is no proxy of ours says nothing of it."""
    settings.TRUSTED_PROXIES = ["10.0.0.1"]
    body = {"username": "admin", "password": "wrong"}

    def wrong(number):
        headers = {
            "x-forwarded-for": f"192.0.2.{number}",
            "x-real-ip": f"192.0.2.{number}",
            "forwarded": f"for=192.0.2.{number}",
        }
        sent = {"data": body} if path == "/sign-in/" else {"data": json.dumps(body), "content_type": JSON}
        return door.post(path, headers=headers, **sent).status_code

    statuses = [wrong(number) for number in range(settings.AXES_FAILURE_LIMIT + 1)]
    assert statuses[-1] == 429
    right = {"username": "ADMIN", "password": "a good long password"}
    answer = door.post("/api/auth", json.dumps(right), content_type=JSON, headers={"x-forwarded-for": "192.0.2.99"})
    assert answer.status_code == 429
