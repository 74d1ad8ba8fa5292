"""`/api/users` as Rasa X clients call it, and what it must never do."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, Role, User
from tests.environments.actions.test_users import Watching
from tests.factories import ProjectFactory, RoleFactory, UserFactory, give, take

URL = "/api/users"
JSON = "application/json"


@pytest.fixture
def other(project):
    """Another project. Who administers the default one administers it too."""
    return ProjectFactory(name="other")


@pytest.fixture
def reviewers(project):
    return RoleFactory(project=project, name="reviewer", grants=["models.read"])


def post(client, query="", **body):
    return client.post(f"{URL}{query}", {"username": "eve", "password": "correct horse 7", **body}, content_type=JSON)


def put(client, url, body):
    return client.put(url, body, content_type=JSON)


def roles_of(username) -> list[str]:
    return sorted(Role.objects.of_user(User.objects.get(username=username)).values_list("name", flat=True))


def test_the_list_has_everybody_with_their_roles(as_ana, ana, dora):
    reads = Role.objects.of_user(dora).get().name
    answer = as_ana.get(URL)
    assert (answer.status_code, answer.headers["X-Total-Count"]) == (200, "2")
    assert answer.json() == [
        {
            "username": name,
            "roles": [role],
            "projects": [{"name": "default", "roles": [role]}],
            "authentication_mechanism": "username_password",
        }
        for name, role in (("ana", "admin"), ("dora", reads))
    ]


def test_a_project_that_the_asker_does_not_see_is_not_told_of(as_ben, ben, dora, other):
    give(ben, dora.groups.get().role.project, "users.read")
    hidden = give(dora, other, "models.read")
    [shown] = [user for user in as_ben.get(URL).json() if user["username"] == "dora"]
    assert [place["name"] for place in shown["projects"]] == ["default"]
    assert as_ben.get(f"{URL}?project=other").status_code == 404
    give(ben, other, "models.read")
    [shown] = [user for user in as_ben.get(f"{URL}?project=other").json() if user["username"] == "dora"]
    assert shown["roles"] == [hidden.name]
    assert [place["name"] for place in shown["projects"]] == ["default", "other"]


def test_a_part_of_the_list(as_ana, project):
    for number in range(4):
        UserFactory(username=f"user-{number}")
    answer = as_ana.get(f"{URL}?limit=2&offset=1")
    assert [user["username"] for user in answer.json()] == ["user-0", "user-1"]
    assert answer.headers["X-Total-Count"] == "5"
    assert as_ana.get(f"{URL}?limit=-1").status_code == 400


def test_as_many_queries_for_300_users_and_60_roles_as_for_3(as_ana, project):
    def queries(url) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert as_ana.get(url).status_code == 200
        return len(captured)

    as_ana.get(URL)  # notes that the token is used

    def seed(users, roles):
        groups = [RoleFactory(project=project, grants=["models.read"]).group_id for _ in range(roles)]
        for number in range(users):
            UserFactory().groups.add(groups[number % len(groups)])

    seed(users=3, roles=2)
    few = [queries(URL), queries("/api/roles"), queries("/api/roles/tester/users")]
    seed(users=300, roles=60)
    assert [queries(URL), queries("/api/roles"), queries("/api/roles/tester/users")] == few


def test_a_new_user_has_the_roles_named_and_signs_in(as_ana, client, reviewers):
    made = post(as_ana, roles=["reviewer"])
    assert (made.status_code, [user["username"] for user in made.json()]) == (201, ["eve"])
    assert made.json()[0]["roles"] == ["reviewer"]
    assert "invitation" not in made.json()[0]
    assert client.login(username="eve", password="correct horse 7")


def test_no_lock_is_held_while_a_password_is_hashed(as_ana, settings):
    settings.PASSWORD_HASHERS = [f"{Watching.__module__}.Watching"]
    Watching.within.clear()
    outside = len(connection.savepoint_ids)
    assert post(as_ana).status_code == 201
    assert Watching.within == [outside]


def test_without_roles_a_new_user_gets_the_default_one(as_ana):
    assert post(as_ana).json()[0]["roles"] == ["tester"]
    assert post(as_ana, username="fay", roles=[]).json()[0]["roles"] == []


def test_a_service_account_has_no_password_and_belongs_to_the_project(as_ana, reviewers):
    made = post(as_ana, service_account=True, password=None, roles=["reviewer"]).json()[0]
    assert (made["authentication_mechanism"], "invitation" in made) == ("api_token", False)
    account = User.objects.get(username="eve")
    assert (account.service_of.name, account.has_usable_password()) == ("default", False)


def test_without_a_password_a_person_is_invited_by_a_link(as_ana, client, settings, reviewers):
    settings.PUBLIC_URL = "https://plane.example"
    [made] = post(as_ana, password=None, roles=["reviewer"]).json()
    link = made["invitation"]
    assert link.startswith("https://plane.example/")
    assert link not in as_ana.get(URL).content.decode()
    secret = link.rstrip("/").rpartition("/")[2]
    assert secret not in str(list(AuditEvent.objects.values()))
    assert not User.objects.get(username="eve").has_usable_password()
    page = client.get(link.removeprefix("https://plane.example"), follow=True)
    assert (page.status_code, "eve" in page.text) == (200, True)


def test_members_that_are_nobodys_to_set_change_nothing(as_ana):
    made = post(
        as_ana,
        id=1,
        is_active=False,
        is_superuser=True,
        service_of=1,
        credential_generation=9,
        projects=[{"name": "default", "roles": ["admin"]}],
        groups=[1],
        authentication_mechanism="saml",
        data={"mass": "assignment"},
    )
    assert made.status_code == 201
    eve = User.objects.get(username="eve")
    assert (eve.is_active, eve.service_of, eve.credential_generation) == (True, None, 1)
    assert roles_of("eve") == ["tester"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"username": None}, "username"),
        ({"username": "e v e"}, "username"),
        ({"username": "\u0435ve"}, "username"),
        ({"username": 5}, "username"),
        ({"password": "short"}, "password"),
        ({"password": 12345678}, "password"),
        ({"roles": ["nobody"]}, "roles"),
        ({"roles": "admin"}, "roles"),
        ({"roles": [1]}, "roles"),
        ({"email": "nobody"}, "email"),
        ({"service_account": 1}, "service_account"),
    ],
)
def test_a_bad_member_is_named_and_nobody_is_made(as_ana, body, field):
    refused = post(as_ana, **body)
    assert (refused.status_code, list(refused.json()["details"]["errors"])) == (400, [field])
    assert not User.objects.filter(username="eve").exists()


def test_a_refused_password_is_repeated_nowhere(as_ana):
    refused = post(as_ana, password="12345")
    assert refused.status_code == 400
    assert "12345" not in refused.content.decode()


def test_a_name_is_never_given_twice(as_ana):
    post(as_ana)
    assert post(as_ana, username="Eve").json()["reason"] == "UserExistsError"
    as_ana.delete(f"{URL}/eve")
    assert post(as_ana).status_code == 409


def test_nobody_makes_a_user_with_more_than_they_hold(as_ben, ben, project):
    give(ben, project, "users.write", "roles.write")
    refused = post(as_ben, roles=["admin"])
    assert (refused.status_code, refused.json()["reason"]) == (403, "NotAuthorized")
    assert not User.objects.filter(username="eve").exists()


def test_a_role_is_given_only_by_who_gives_roles(as_ben, ben, project, reviewers):
    give(ben, project, "users.write")
    refused = post(as_ben, roles=["reviewer"])
    assert (refused.status_code, refused.json()["details"]["grant"]) == (403, "roles.write")


def test_deactivating_ends_tokens_and_keeps_the_name(as_ana, as_dora, dora):
    assert as_dora.get("/api/user").status_code == 200
    gone = as_ana.delete(f"{URL}/dora")
    assert (gone.status_code, gone.json()["username"]) == (200, "dora")
    assert as_dora.get("/api/user").status_code == 401
    assert [user["username"] for user in as_ana.get(URL).json()] == ["ana"]
    assert as_ana.delete(f"{URL}/dora").status_code == 404
    assert AuditEvent.objects.filter(action="user.deactivate", object="user:dora", actor="ana", via="rasa_x").exists()


def test_the_last_administrator_is_not_deactivated(as_ana):
    refused = as_ana.delete(f"{URL}/ana")
    assert (refused.status_code, refused.json()["reason"]) == (409, "LastAdministrator")


def test_who_may_write_users_deactivates_nobody_who_holds_more(as_ben, ben, ana, project):
    give(ben, project, "users.write")
    assert as_ben.delete(f"{URL}/ana").status_code == 403
    assert User.objects.get(username="ana").is_active


def test_the_roles_of_a_user_are_put_as_a_list_of_names(as_ana, dora, reviewers):
    url = f"{URL}/dora/roles"
    answer = put(as_ana, url, ["reviewer", "tester", "tester"])
    assert (answer.status_code, [role["role"] for role in answer.json()]) == (200, ["tester", "reviewer"])
    assert as_ana.get(url).json() == answer.json()
    assert answer.json()[1] == {
        "role": "reviewer",
        "grants": {"models": ["read"]},
        "description": "",
        "is_default": False,
    }


def test_roles_of_other_projects_are_left_alone(as_ana, dora, other):
    kept = give(dora, other, "models.read")
    assert put(as_ana, f"{URL}/dora/roles", []).json() == []
    assert roles_of("dora") == [kept.name]


def test_one_role_is_taken(as_ana, dora, reviewers):
    put(as_ana, f"{URL}/dora/roles", ["reviewer", "tester"])
    answer = as_ana.delete(f"{URL}/dora/roles/reviewer")
    assert (answer.status_code, answer.json()["roles"]) == (200, ["tester"])
    assert as_ana.delete(f"{URL}/dora/roles/reviewer").status_code == 200
    assert as_ana.delete(f"{URL}/dora/roles/nobody").status_code == 404


def test_the_last_administrator_keeps_the_role(as_ana):
    assert put(as_ana, f"{URL}/ana/roles", []).json()["reason"] == "LastAdministrator"
    assert as_ana.delete(f"{URL}/ana/roles/admin").status_code == 409
    assert roles_of("ana") == ["admin"]


@pytest.mark.parametrize("body", [{"roles": ["admin"]}, "admin", [1], [["admin"]], [None], [""], ["nobody"]])
def test_a_list_of_anything_else_is_refused(as_ana, dora, body):
    before = roles_of("dora")
    assert put(as_ana, f"{URL}/dora/roles", body).status_code == 400
    assert roles_of("dora") == before


def test_nobody_gives_themselves_a_role(as_ben, ben, project):
    give(ben, project, "roles.write")
    assert put(as_ben, f"{URL}/ben/roles", ["admin"]).status_code == 403
    assert "admin" not in roles_of("ben")


def test_who_may_give_roles_in_one_project_gives_none_in_another(as_ben, ben, dora, other, reviewers):
    give(ben, other, "roles.read", "roles.write", "models.read")
    assert put(as_ben, f"{URL}/dora/roles?project=default", ["reviewer"]).status_code == 403
    RoleFactory(project=other, name="reader", grants=["models.read"])
    assert put(as_ben, f"{URL}/dora/roles?project=other", ["reader"]).status_code == 200


REQUESTS = [
    ("get", URL),
    ("post", URL),
    ("delete", f"{URL}/dora"),
    ("get", f"{URL}/dora/roles"),
    ("put", f"{URL}/dora/roles"),
    ("delete", f"{URL}/dora/roles/tester"),
]


@pytest.mark.parametrize(("method", "url"), REQUESTS)
def test_without_the_grant_it_is_named_and_an_outsider_finds_nothing(as_ben, as_cy, dora, method, url):
    before = roles_of("dora")
    body = [] if method == "put" else {"username": "eve", "password": "correct horse 7"}
    refused = getattr(as_ben, method)(url, body if method != "get" else None, content_type=JSON)
    grant = "roles" if "roles" in url else "users"
    action = "read" if method == "get" else "write"
    assert (refused.status_code, refused.json()["details"]["grant"]) == (403, f"{grant}.{action}")
    assert getattr(as_cy, method)(url, body if method != "get" else None, content_type=JSON).status_code == 404
    assert roles_of("dora") == before


def test_users_count_only_in_the_default_project(as_ben, ben, other):
    give(ben, other, "users.read", "users.write")
    assert as_ben.get(f"{URL}?project=other").status_code == 403
    assert post(as_ben, query="?project=other").status_code == 403


def test_a_change_of_roles_counts_from_the_next_request(as_ana, as_ben, ben, project):
    give(ben, project, "users.read")
    assert as_ben.get(URL).status_code == 200
    take(ben, "users.read")
    assert as_ben.get(URL).status_code == 403


def test_the_final_slash_is_understood(as_ana, dora):
    assert as_ana.get(f"{URL}/").status_code == 200
    assert as_ana.get(f"{URL}/dora/roles/").status_code == 200
