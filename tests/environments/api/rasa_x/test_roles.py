"""`/api/roles` as Rasa X clients call it."""

import pytest

from accounts.models import Role, User
from environments import role_grants
from tests.factories import RoleFactory, UserFactory, give

URL = "/api/roles"
JSON = "application/json"
REVIEWER = {
    "role": "reviewer",
    "grants": {"environments": ["read", "experimental.write"], "models": ["read"]},
    "description": "Reads.",
    "is_default": False,
}


def post(client, **body):
    return client.post(URL, {**REVIEWER, **body}, content_type=JSON)


def put(client, role, body, rest=""):
    return client.put(f"{URL}/{role}{rest}", body, content_type=JSON)


@pytest.fixture
def reviewers(project):
    return RoleFactory(project=project, name="reviewer", grants=["models.read"], description="Reads.")


def test_the_built_in_roles_are_listed_first(as_ana, reviewers):
    answer = as_ana.get(URL)
    assert answer.headers["X-Total-Count"] == "5"
    assert [role["role"] for role in answer.json()] == ["admin", "developer", "annotator", "tester", "reviewer"]
    assert [role["role"] for role in answer.json() if role["is_default"]] == ["tester"]
    assert as_ana.get(f"{URL}?limit=1&offset=3").json()[0]["grants"] == {
        "environments": ["read"],
        "models": ["read"],
        "conversations": ["write"],
    }


def test_a_new_role_is_as_it_was_sent(as_ana, experimental):
    made = post(as_ana)
    assert (made.status_code, made.json()) == (201, REVIEWER)
    assert as_ana.get(f"{URL}/reviewer").json() == REVIEWER


def test_what_was_got_can_be_put_back_and_changes_nothing(as_ana, experimental):
    post(as_ana)
    for role in as_ana.get(URL).json():
        assert put(as_ana, role["role"], role).json() == role


def test_what_a_put_does_not_say_stays_as_it_is(as_ana, reviewers):
    assert put(as_ana, "reviewer", {"description": "Looks."}).json() == {
        "role": "reviewer",
        "grants": {"models": ["read"]},
        "description": "Looks.",
        "is_default": False,
    }
    assert put(as_ana, "reviewer", {"grants": {}}).json()["grants"] == {}


def test_a_role_takes_another_name(as_ana, reviewers):
    assert put(as_ana, "reviewer", {"role": "reader"}).json()["role"] == "reader"
    assert as_ana.get(f"{URL}/reviewer").status_code == 404
    assert put(as_ana, "tester", {"role": "taster"}).status_code == 409


def test_one_role_is_the_default(as_ana, reviewers):
    put(as_ana, "reviewer", {"is_default": True})
    assert [role["role"] for role in as_ana.get(URL).json() if role["is_default"]] == ["reviewer"]


def test_a_role_ends_for_all_who_have_it(as_ana, as_cy, cy, reviewers):
    cy.groups.add(reviewers.group_id)
    assert as_cy.get("/api/models").status_code == 200
    gone = as_ana.delete(f"{URL}/reviewer")
    assert (gone.status_code, gone.json()["role"]) == (200, "reviewer")
    assert as_cy.get("/api/models").status_code == 404
    assert as_ana.delete(f"{URL}/reviewer").status_code == 404


def test_a_built_in_role_is_not_deleted(as_ana):
    assert as_ana.delete(f"{URL}/tester").json()["reason"] == "RoleIsBuiltIn"
    assert Role.objects.filter(name="tester").exists()


def test_admin_keeps_every_grant(as_ana):
    before = as_ana.get(f"{URL}/admin").json()
    assert put(as_ana, "admin", {"grants": {"models": ["read"]}}).status_code == 409
    assert as_ana.get(f"{URL}/admin").json() == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"role": ""}, "role"),
        ({"role": None}, "role"),
        ({"role": "a/b"}, "role"),
        ({"role": 5}, "role"),
        ({"grants": {"models": "read"}}, "grants.models"),
        ({"grants": {"models": [5]}}, "grants"),
        ({"grants": ["models.read"]}, "grants"),
        ({"grants": {"models": ["fly"]}}, "grants"),
        ({"grants": {"environments": ["nowhere.write"]}}, "grants"),
        ({"description": "x" * 501}, "description"),
        ({"is_default": 1}, "is_default"),
    ],
)
def test_a_bad_member_is_named(as_ana, body, field):
    refused = post(as_ana, **body)
    assert (refused.status_code, list(refused.json()["details"]["errors"])) == (400, [field])
    assert Role.objects.count() == 4


def test_two_roles_of_one_name_are_refused(as_ana, reviewers):
    assert post(as_ana, grants={}, role="Reviewer").json()["reason"] == "RoleExistsError"


def test_members_that_are_nobodys_to_set_change_nothing(as_ana, reviewers, ana):
    put(as_ana, "reviewer", {"id": 1, "project": "other", "group": 1, "built_in": True, "users": ["ana"]})
    reviewers.refresh_from_db()
    assert (reviewers.project.name, reviewers.built_in) == ("default", False)
    assert not User.objects.filter(groups=reviewers.group_id).exists()


def test_nobody_edits_a_role_into_more_than_they_hold(as_ben, ben, project, reviewers):
    own = give(ben, project, "roles.write")
    refused = put(as_ben, own.name, {"grants": {"roles": ["write"], "environments": ["production.write", "*.write"]}})
    assert refused.status_code in (400, 403)
    assert role_grants.of_role(own) == {"roles.write"}
    assert put(as_ben, "reviewer", {"grants": {"models": ["read"], "users": ["write"]}}).status_code == 403
    assert post(as_ben, role="mine", grants={"audit": ["read"]}).json()["details"]["grant"] == "audit.read"


def test_nobody_takes_from_a_role_what_they_do_not_hold(as_ben, ben, project):
    give(ben, project, "roles.write")
    strong = RoleFactory(project=project, name="strong", grants=["audit.read"])
    assert put(as_ben, "strong", {"grants": {}}).status_code == 403
    assert as_ben.delete(f"{URL}/strong").status_code == 403
    assert role_grants.of_role(strong) == {"audit.read"}


def test_who_has_a_role_is_put_as_a_list_of_names(as_ana, cy, dora, reviewers):
    answer = put(as_ana, "reviewer", ["cy", "dora"], "/users")
    assert (answer.status_code, [user["username"] for user in answer.json()]) == (200, ["cy", "dora"])
    assert answer.json()[0]["roles"] == ["reviewer"]
    answer = put(as_ana, "reviewer", ["dora"], "/users")
    assert [user["username"] for user in answer.json()] == ["dora"]
    assert as_ana.get(f"{URL}/reviewer/users").json() == answer.json()


def test_deactivated_accounts_are_not_listed_and_keep_the_role(as_ana, cy, reviewers):
    gone = UserFactory(username="gone", is_active=False)
    gone.groups.add(reviewers.group_id)
    assert as_ana.get(f"{URL}/reviewer/users").json() == []
    assert [user["username"] for user in put(as_ana, "reviewer", ["cy"], "/users").json()] == ["cy"]
    assert Role.objects.of_user(gone).get() == reviewers
    refused = put(as_ana, "tester", ["gone"], "/users")
    assert (refused.status_code, refused.json()["reason"]) == (409, "UserInactive")


def test_an_unknown_user_is_named_and_nothing_changes(as_ana, cy, reviewers):
    refused = put(as_ana, "reviewer", ["cy", "nobody"], "/users")
    assert (refused.status_code, "nobody" in refused.json()["message"]) == (400, True)
    assert not User.objects.filter(groups=reviewers.group_id).exists()


def test_administration_is_handed_over_and_not_given_up(as_ana, ana, cy):
    assert put(as_ana, "admin", [], "/users").json()["reason"] == "LastAdministrator"
    assert [user["username"] for user in put(as_ana, "admin", ["cy", "ana"], "/users").json()] == ["ana", "cy"]


REQUESTS = [
    ("get", URL),
    ("post", URL),
    ("get", f"{URL}/reviewer"),
    ("put", f"{URL}/reviewer"),
    ("delete", f"{URL}/reviewer"),
    ("get", f"{URL}/reviewer/users"),
    ("put", f"{URL}/reviewer/users"),
]


@pytest.mark.parametrize(("method", "url"), REQUESTS)
def test_without_the_grant_it_is_named_and_an_outsider_finds_nothing(as_ben, as_cy, reviewers, method, url):
    body = [] if url.endswith("users") else {"role": "mine", "grants": {}}
    refused = getattr(as_ben, method)(url, body if method != "get" else None, content_type=JSON)
    grant = f"roles.{'read' if method == 'get' else 'write'}"
    assert (refused.status_code, refused.json()["details"]["grant"]) == (403, grant)
    assert getattr(as_cy, method)(url, body if method != "get" else None, content_type=JSON).status_code == 404
    assert Role.objects.count() == 6  # with those of ben and this one
