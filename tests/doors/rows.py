"""The table: a row for each route and method, with what it needs and a request that is right.

`needs` are words in the order in which they are asked:

- `anybody`: whoever asks, whatever they send with it;
- `signed in`: every user, also one without a role;
- `member of any`: holds anything in some project, else 404;
- with every word below, who holds nothing in the project does not learn that it exists (404):
- `member`: holds anything in the project;
- `sees environments`: without `environments.read` there is no such environment (404);
- `author`: made it, else 403;
- `signature`: whoever signs the body, whatever else they send; all others 401;
- `own account`: every user, but not by a narrowed token (403);
- all others are grants; without one: 403 that names it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests import multipart
from tests.archives import rasa_archive
from tests.projects import zipped

# Whose service token opens a route: Rasa servers of these environments, `banking` for those of another project.
ANY_SERVER = frozenset({"production", "worker", "experimental", "staging", "banking", "RASA_X_TOKEN"})
OF_PRODUCTION = frozenset({"production", "worker", "RASA_X_TOKEN"})
TRAINS = frozenset({"worker", "RASA_X_TOKEN"})


@dataclass(frozen=True)
class Row:
    """`path` with `{promotion}` and the like in the places of what the world has. `ok` is the status for those who
    may. `servers`: whose service token opens it; those of others get 403, and 401 where it takes none at all."""

    method: str
    path: str
    needs: tuple[str, ...]
    ok: int = 200
    json: Any = None
    form: Mapping[str, str] = field(default_factory=dict)
    file: tuple[str, str, bytes] | None = None
    servers: frozenset[str] = frozenset()
    # For people who are signed in already.
    ok_signed_in: int | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def row(line: str, needs: str, ok: int = 200, **more: Any) -> Row:
    method, path = line.split(" ")
    return Row(method, path, tuple(word.strip() for word in needs.split(",")), ok, **more)


def in_project(line: str, needs: str, ok: int = 200, **more: Any) -> list[Row]:
    """The two spellings of a route of Rasa X."""
    method, path = line.split(" ")
    return [row(f"{method} {prefix}/{path}", needs, ok, **more) for prefix in ("/api/projects/default", "/api")]


def upload(field: str, filename: str, content: bytes) -> dict[str, Any]:
    return {"file": (field, filename, content)}


MODEL = upload("model", "new-model.tar.gz", rasa_archive("new-model"))
BUNDLE = upload("bundle", "bundle.zip", zipped())

REPOSITORY = {"name": "flows", "url": "https://git.example.com/team/flows.git"}
CHANGED = {"url": "https://git.example.com/team/flows.git", "ref": "next"}
PRODUCTION = "environments.production.write"
PROMOTES = f"sees environments, models.read, {PRODUCTION}"
TAGS = f"models.read, {PRODUCTION}"
ENVIRONMENT = "/api/v1/environments/production"
DEFINED = {"name": "canary", "url": "http://rasa-canary:5005"}
LISTED = [{"name": "canary", "url": "http://rasa-canary:5005", "token": None}]
WEBHOOK = {"name": "team", "kind": "signed", "target": "https://hooks.example.com/a-place", "events": ["job.failed"]}
WEBHOOK |= {"enabled": True}
TIME = "2030-01-01T00:00:00Z"
PIPELINE = "/api/v1/pipelines/nightly"
NEW_PIPELINE = {"name": "weekly", "promote": "production"}
PUSH = {"ref": "refs/heads/main", "after": "a" * 40}
PUSH_SECRET = "what the git server signs its pushes with"
CONTAINER = {"container": "rasa-production-1"}
GUEST_LINK = "a-random-guest-link-1234567890"
# The Rasa servers of the world do not answer: who gets 503 got through the door.
UNREACHABLE = 503

NATIVE = [
    row("GET /api/v1/environments/", "environments.read"),
    row("POST /api/v1/environments/", "environments.manage", 201, json=DEFINED),
    row(f"GET {ENVIRONMENT}/", "sees environments"),
    row("PATCH /api/v1/environments/staging/", "sees environments, environments.manage", json={"replicas": 2}),
    row("DELETE /api/v1/environments/staging/", "sees environments, environments.manage", 204),
    row(f"GET {ENVIRONMENT}/promotions/", "sees environments"),
    row(f"POST {ENVIRONMENT}/promotions/", PROMOTES, 201, json={"model": "calm-heron"}),
    row(f"POST {ENVIRONMENT}/rollback/", f"sees environments, {PRODUCTION}", 201, json={}),
    row(f"GET {ENVIRONMENT}/at/?time={TIME}", "sees environments"),
    row(f"GET {ENVIRONMENT}/service-token/", "sees environments, environments.manage"),
    row(f"POST {ENVIRONMENT}/service-token/", "sees environments, environments.manage", json={}),
    # It is not frozen.
    row(f"POST {ENVIRONMENT}/resume/", f"sees environments, {PRODUCTION}", 409, json={"model": None}),
    row(f"GET {ENVIRONMENT}/replicas/", "sees environments"),
    row(f"POST {ENVIRONMENT}/replicas/r1/retry/", f"sees environments, {PRODUCTION}", 204),
    row(f"GET {ENVIRONMENT}/containers/", "sees environments"),
    row(f"POST {ENVIRONMENT}/containers/rasa-production-1/restart/", f"sees environments, {PRODUCTION}", 204),
    row("GET /api/v1/promotions/{promotion}/", "sees environments"),
    row(
        "PATCH /api/v1/promotions/{promotion}/", f"sees environments, author, {PRODUCTION}", json={"reason": "because"}
    ),
    row("GET /api/v1/models/", "models.read"),
    row("GET /api/v1/models/brisk-otter/", "models.read"),
    row("GET /api/v1/models/brisk-otter/metadata/", "models.read"),
    row("GET /api/v1/models/brisk-otter/diff/?against=calm-heron", "models.read"),
    row("GET /api/v1/bundles/", "training.read"),
    row("POST /api/v1/bundles/", "training.write", 201, **BUNDLE),
    row("GET /api/v1/bundles/{bundle}/", "training.read"),
    row("GET /api/v1/bundles/{bundle}/diff/?against={bundle}", "training.read"),
    row("GET /api/v1/repositories/", "training.read"),
    row("POST /api/v1/repositories/", "training.write", 201, json=REPOSITORY),
    row("GET /api/v1/repositories/assistant/", "training.read"),
    row("PATCH /api/v1/repositories/assistant/", "training.read, training.write", json={"ref": "next"}),
    row("DELETE /api/v1/repositories/assistant/", "training.read, training.write", 204),
    row("POST /api/v1/repositories/assistant/fetch/", "training.read, training.write", 201, json={}),
    row("GET /api/v1/jobs/", "training.read"),
    row("POST /api/v1/jobs/", "training.write", 201, json={"kind": "training"}),
    row("GET /api/v1/jobs/{job}/", "training.read"),
    row("GET /api/v1/jobs/{job}/log/", "training.read"),
    row("POST /api/v1/jobs/{job}/cancel/", "training.read, training.write", 202),
    row("GET /api/v1/webhooks/", "settings.read"),
    row("POST /api/v1/webhooks/", "settings.write, training.read, evaluations.read", 201, json=WEBHOOK),
    row("GET /api/v1/webhooks/{webhook}/", "settings.read"),
    row("PATCH /api/v1/webhooks/{webhook}/", "settings.read, settings.write", json={"enabled": False}),
    row("DELETE /api/v1/webhooks/{webhook}/", "settings.read, settings.write", 204),
    row("POST /api/v1/webhooks/{webhook}/test/", "settings.read, settings.write", 201),
    row("GET /api/v1/webhooks/{webhook}/deliveries/", "settings.read"),
    row("POST /api/v1/webhooks/{webhook}/deliveries/{delivery}/redeliver/", "settings.read, settings.write"),
    row("GET /api/v1/evaluations/", "evaluations.read"),
    row("POST /api/v1/evaluations/", "evaluations.write, models.read", 201, json={"model": "calm-heron"}),
    row("GET /api/v1/evaluations/{evaluation}/", "evaluations.read"),
    row("GET /api/v1/evaluations/{evaluation}/predictions/", "evaluations.read"),
    row("DELETE /api/v1/evaluations/{evaluation}/", "evaluations.read, evaluations.write", 204),
    row("GET /api/v1/evaluations/compare/?a={evaluation}&b={evaluation}", "evaluations.read"),
    row("GET /api/v1/pipelines/", "pipelines.read"),
    row("POST /api/v1/pipelines/", f"pipelines.write, {PRODUCTION}", 201, json=NEW_PIPELINE),
    row(f"GET {PIPELINE}/", "pipelines.read"),
    row(f"PATCH {PIPELINE}/", f"pipelines.read, pipelines.write, {PRODUCTION}", json={"notify": False}),
    row(f"DELETE {PIPELINE}/", "pipelines.read, pipelines.write", 204),
    row(f"GET {PIPELINE}/runs/", "pipelines.read"),
    row(f"POST {PIPELINE}/runs/", f"pipelines.read, pipelines.write, {PRODUCTION}", 201),
    row(f"POST {PIPELINE}/push-secret/", f"pipelines.read, pipelines.write, {PRODUCTION}", 201),
    row(f"POST {PIPELINE}/push/", "signature", 201, json=PUSH),
    row("GET /api/v1/pipeline-runs/", "pipelines.read"),
    row("GET /api/v1/pipeline-runs/{run}/", "pipelines.read"),
    row("POST /api/v1/pipeline-runs/{run}/cancel/", "pipelines.read, pipelines.write", 202),
    row("GET /api/v1/retention/", "settings.read"),
    row("PUT /api/v1/retention/", "settings.write, models.delete", json={"enabled": False}),
    row("GET /api/v1/retention/preview/", "settings.read, models.read, training.read"),
    row("GET /api/v1/tokens/", "signed in"),
    row("POST /api/v1/tokens/", "tokens.write", 201, json={"name": "mine"}),
    row("GET /api/v1/audit-events/", "audit.read"),
    row("GET /api/v1/audit-events/?format=csv", "audit.read"),
    row("GET /api/v1/me/", "signed in"),
]

RASA_X = [
    *in_project("GET models", "models.read"),
    *in_project("POST models", "models.write", 201, **MODEL),
    *in_project("GET models/nlu", "models.read"),
    *in_project("POST models/nlu", "models.write", 201, **MODEL),
    *in_project("GET models/brisk-otter", "models.read", servers=TRAINS),
    *in_project("DELETE models/spare-model", "models.read, models.delete", 204),
    *in_project("PUT models/calm-heron/tags/production", TAGS, 204),
    *in_project("DELETE models/brisk-otter/tags/production", TAGS, 204),
    *in_project("PUT models/nlu/calm-heron/tags/production", TAGS, 204),
    *in_project("DELETE models/nlu/brisk-otter/tags/production", TAGS, 204),
    *in_project("PUT models/calm-heron/tags/nightly", "models.read, models.write", 204),
    *in_project("DELETE models/calm-heron/tags/free", "models.read, models.write", 204),
    *in_project("POST models/jobs", "training.write", 201),
    *in_project("GET models/tags/production", "models.read", servers=OF_PRODUCTION),
    row("GET /models/default@production", "models.read", servers=OF_PRODUCTION),
    row("GET /models/default", "models.read", servers=OF_PRODUCTION),
    *in_project("GET evaluations", "evaluations.read"),
    *in_project("GET evaluations/brisk-otter", "evaluations.read, models.read"),
    *in_project("PUT evaluations/brisk-otter", "evaluations.write, models.read", 202),
    *in_project("DELETE evaluations/brisk-otter", "evaluations.write, evaluations.read, models.read", 204),
    row("GET /api/environments", "environments.read"),
    row("PUT /api/environments", "environments.manage", 201, json=LISTED),
    row("GET /api/health", "anybody"),
    row("GET /api/version", "anybody"),
    # Whoever asks is asked for a password, and nobody has this one.
    row("GET /api/chatToken", "conversations.write"),
    row("PUT /api/chatToken", "settings.write, conversations.write", json={}),
    row("POST /api/auth/jwt", "anybody", json={"chat_token": GUEST_LINK}),
    row("POST /api/auth", "anybody", 401, json={"username": "admin", "password": "a password of nobody"}),
    row("GET /api/config", "environments.read", servers=ANY_SERVER),
    *(
        talk
        for prefix in ("/api/projects/default/conversations/me", "/api/conversations/me", "/conversations/me")
        for talk in (
            row(
                f"POST {prefix}/messages", "conversations.write, sees environments", UNREACHABLE, json={"message": "hi"}
            ),
            row(f"GET {prefix}/tracker", "conversations.read, sees environments", UNREACHABLE),
        )
    ),
    *in_project("GET conversations", "conversations.read"),
    *in_project("GET conversations/me", "conversations.read, sees environments", UNREACHABLE),
    *in_project("DELETE conversations/me", "conversations.read, conversations.write, sees environments", 204),
]

NEW_USER = {"username": "newcomer"}
NEW_ROLE = {"role": "reader", "grants": {"models": ["read"]}}

PEOPLE = [
    row("GET /api/users", "users.read"),
    row("POST /api/users", "users.write", 201, json=NEW_USER),
    row("DELETE /api/users/someone", "users.write"),
    row("GET /api/users/someone/roles", "roles.read"),
    row("PUT /api/users/someone/roles", "roles.write", json=["annotator"]),
    row("DELETE /api/users/someone/roles/helper", "roles.write"),
    row("GET /api/roles", "roles.read"),
    row("POST /api/roles", "roles.write", 201, json=NEW_ROLE),
    row("GET /api/roles/helper", "roles.read"),
    row("PUT /api/roles/helper", "roles.write", json={"description": "helps"}),
    row("DELETE /api/roles/helper", "roles.write"),
    row("GET /api/roles/helper/users", "roles.read"),
    row("PUT /api/roles/helper/users", "roles.write", json=[]),
    row("GET /api/user", "signed in"),
    row("PATCH /api/user", "own account", json={"username": "another-name"}),
]

# For Prometheus, which sends a token.
OPERATIONS = [row("GET /metrics", "member of any")]

PAGE = "/p/default/environments/production"
CONFIRMED = {"model": "calm-heron", "expected": "brisk-otter", "confirm": "production"}

CONVERSATION = "/p/default/conversations/in/production"

PAGES = [
    row("GET /healthz", "anybody"),
    row("GET /readyz", "anybody"),
    row("GET /app.css", "anybody"),
    row("GET /styleguide/", "anybody", 404),  # only where STYLEGUIDE is on
    row("GET /environments.css", "anybody"),
    row("GET /problems/not-found", "anybody"),
    row("POST /theme/", "anybody", 302, form={"theme": "dark"}),
    row(f"GET /guest/conversations/production/{GUEST_LINK}", "anybody"),
    row(f"POST /guest/conversations/production/{GUEST_LINK}", "anybody", UNREACHABLE, form={"message": "hi"}),
    row("GET /", "member of any", 302),
    row("GET /p/default/", "environments.read"),
    row("GET /p/default/changes/", "environments.read"),
    row("GET /p/default/search/", "member"),
    row("GET /p/default/shortcuts/", "member"),
    row("GET /p/default/models/", "models.read"),
    row("GET /p/default/models/brisk-otter/", "models.read"),
    row("GET /p/default/models/brisk-otter/menu/", "models.read"),
    row("GET /p/default/models/calm-heron/tag/", "models.read"),
    row("POST /p/default/models/calm-heron/tag/", "models.read, models.write", 302, form={"tag": "nightly"}),
    row("POST /p/default/models/calm-heron/untag/", "models.read, models.write", 302, form={"tag": "free"}),
    row("GET /p/default/models/spare-model/delete/", "models.read"),
    row("POST /p/default/models/spare-model/delete/", "models.read, models.delete", 302),
    row("GET /p/default/models/brisk-otter/evaluate/", "models.read"),
    row("POST /p/default/models/brisk-otter/evaluate/", "models.read, evaluations.write", 302),
    row("GET /p/default/evaluations/", "evaluations.read"),
    row("GET /p/default/evaluations/compare/", "evaluations.read"),
    row("GET /p/default/evaluations/{evaluation}/", "evaluations.read"),
    row("GET /p/default/evaluations/{evaluation}/changes/", "evaluations.read"),
    row("GET /p/default/upload/", "models.write"),
    row("POST /p/default/upload/", "models.write", 302, **MODEL),
    row(f"GET {PAGE}/", "sees environments"),
    row(f"GET {PAGE}/replicas/", "sees environments"),
    row(f"GET {PAGE}/connect/", "sees environments"),
    row(f"GET {PAGE}/settings/", "sees environments"),
    row(f"GET {PAGE}/changes/", "sees environments"),
    row(f"GET {PAGE}/engine/", "sees environments"),
    row(f"GET {PAGE}/engine/log/?container=rasa-production-1", f"sees environments, {PRODUCTION}"),
    row(f"GET {PAGE}/engine/restart/?container=rasa-production-1", "sees environments"),
    row(f"POST {PAGE}/engine/restart/", f"sees environments, {PRODUCTION}", 302, form=CONTAINER),
    row("GET /p/default/restored/", "environments.read"),
    row(f"GET {PAGE}/resume/", "sees environments"),
    row(f"POST {PAGE}/resume/", f"sees environments, {PRODUCTION}", 409, form={"confirm": "production"}),
    row(f"POST {PAGE}/rotate-token/", "sees environments, environments.manage", 302),
    row(f"POST {PAGE}/replicas/retry/", f"sees environments, {PRODUCTION}", 302, form={"replica": "r1"}),
    row(f"GET {PAGE}/promote/", "sees environments, models.read"),
    row(f"GET {PAGE}/promote/?model=calm-heron", "sees environments, models.read"),
    row(f"POST {PAGE}/promote/", PROMOTES, 302, form=CONFIRMED),
    row(f"GET {PAGE}/rollback/", "sees environments"),
    row(f"POST {PAGE}/rollback/", f"sees environments, {PRODUCTION}", 302, form={"expected": "brisk-otter"}),
    row("GET /p/default/promotions/{promotion}/", "sees environments"),
    row("GET /p/default/promotions/{promotion}/changes/", "sees environments"),
    row(
        "POST /p/default/promotions/{promotion}/reason/",
        f"sees environments, author, {PRODUCTION}",
        302,
        form={"reason": "because"},
    ),
    row("GET /p/default/history/", "environments.read"),
    row("GET /p/default/audit/", "audit.read"),
    row("GET /p/default/talk/", "conversations.write, sees environments"),
    row("POST /p/default/talk/", "conversations.write, sees environments", UNREACHABLE, form={"message": "hi"}),
    row("GET /p/default/talk/share/", "conversations.write"),
    row(
        "POST /p/default/talk/share/",
        "conversations.write, settings.write, sees environments",
        form={"environment": "production", "do": "new"},
    ),
    row("GET /p/default/conversations/", "conversations.read"),
    row(f"GET {CONVERSATION}/?id=me", "conversations.read, sees environments"),
    row(f"GET {CONVERSATION}/delete/?id=me", "conversations.read, sees environments"),
    row(f"POST {CONVERSATION}/delete/?id=me", "conversations.read, sees environments, conversations.write", 302),
    row(
        "POST /p/default/conversations/messages/{message}/mark/",
        "conversations.read, conversations.write, sees environments",
        302,
        form={"intent": "greet"},
    ),
    row("GET /p/default/conversations/examples/", "conversations.read"),
    row("GET /p/default/conversations/examples.yml", "conversations.read"),
    row("POST /p/default/conversations/examples/{example}/remove/", "conversations.read, conversations.write", 302),
    row("POST /p/default/talk/new/", "conversations.write, sees environments", 302, form={"environment": "production"}),
    row("GET /p/default/training/", "training.read"),
    row("POST /p/default/training/", "training.write", 302),
    row("POST /p/default/training/bundle/", "training.write", 302, **BUNDLE),
    row("GET /p/default/training/changes/", "training.read"),
    row("GET /p/default/training/bundles/{bundle}/", "training.read"),
    row("GET /p/default/training/bundles/{bundle}/changes/?against={bundle}", "training.read"),
    row("GET /p/default/training/repositories/", "training.read"),
    row("GET /p/default/training/fetches/", "training.read"),
    row("GET /p/default/training/new-repository/", "training.write"),
    row("POST /p/default/training/new-repository/", "training.write", 302, form=REPOSITORY | {"ref": "main"}),
    row("GET /p/default/training/repositories/assistant/", "training.read"),
    row("POST /p/default/training/repositories/assistant/", "training.read, training.write", 302, form=CHANGED),
    row("POST /p/default/training/repositories/assistant/fetch/", "training.read, training.write", 302),
    row("GET /p/default/training/repositories/assistant/remove/", "training.read, training.write"),
    row("POST /p/default/training/repositories/assistant/remove/", "training.read, training.write", 302),
    row("GET /p/default/training/queue/", "training.read"),
    row("GET /p/default/training/queue/changes/", "training.read"),
    row("GET /p/default/training/jobs/{job}/", "training.read"),
    row("GET /p/default/training/jobs/{job}/changes/", "training.read"),
    row("GET /p/default/training/jobs/{job}/log/", "training.read", 204),
    row("GET /p/default/training/jobs/{job}/log.txt", "training.read"),
    row("GET /p/default/training/jobs/{job}/cancel/", "training.read, training.write"),
    row("POST /p/default/training/jobs/{job}/cancel/", "training.read, training.write", 302),
    row("GET /p/default/training/jobs/{job}/again/", "training.read"),
    row("POST /p/default/training/jobs/{job}/again/", "training.read, training.write", 302),
]

OF_PIPELINES = "/p/default/pipelines"
PIPELINE_PAGES = [
    row(f"GET {OF_PIPELINES}/", "pipelines.read"),
    row("GET /p/default/pipelines-changes/", "pipelines.read"),
    row("GET /p/default/new-pipeline/", "pipelines.write"),
    row(
        "POST /p/default/new-pipeline/",
        f"pipelines.write, {PRODUCTION}",
        302,
        form={"name": "weekly", "text": "promote:%20production"},
    ),
    row(f"GET {OF_PIPELINES}/nightly/", "pipelines.read"),
    row(f"GET {OF_PIPELINES}/nightly/changes/", "pipelines.read"),
    row(f"POST {OF_PIPELINES}/nightly/start/", f"pipelines.read, pipelines.write, {PRODUCTION}", 302),
    row(f"GET {OF_PIPELINES}/nightly/edit/", "pipelines.read, pipelines.write"),
    row(
        f"POST {OF_PIPELINES}/nightly/edit/",
        f"pipelines.read, pipelines.write, {PRODUCTION}",
        302,
        form={"text": "promote:%20production"},
    ),
    row(f"GET {OF_PIPELINES}/nightly/remove/", "pipelines.read"),
    row(f"POST {OF_PIPELINES}/nightly/remove/", "pipelines.read, pipelines.write", 302),
    row(f"POST {OF_PIPELINES}/nightly/push-secret/", f"pipelines.read, pipelines.write, {PRODUCTION}"),
    row(f"GET {OF_PIPELINES}/nightly/runs/{{run}}/", "pipelines.read"),
    row(f"GET {OF_PIPELINES}/nightly/runs/{{run}}/changes/", "pipelines.read"),
    row(f"POST {OF_PIPELINES}/nightly/runs/{{run}}/cancel/", "pipelines.read, pipelines.write", 302),
]

ACCESS = "/p/default/access"
NEW_IN_ACCESS = {"username": "newcomer", "kind": "person"}

ACCESS_PAGES = [
    row(f"GET {ACCESS}/", "users.read"),
    row(f"GET {ACCESS}/new-user/", "users.write"),
    row(f"POST {ACCESS}/new-user/", "users.write", form=NEW_IN_ACCESS),
    row(f"POST {ACCESS}/unlock-address/", "users.write", 302, form={"address": "10.0.0.5"}),
    row(f"GET {ACCESS}/users/someone/", "users.read"),
    row(f"POST {ACCESS}/users/someone/roles/", "users.read, roles.write", 302, form={"role": "annotator"}),
    row(f"GET {ACCESS}/users/someone/deactivate/", "users.read"),
    row(f"POST {ACCESS}/users/someone/deactivate/", "users.read, users.write", 302),
    row(f"POST {ACCESS}/users/someone/activate/", "users.read, users.write", 302),
    row(f"GET {ACCESS}/users/someone/link/", "users.read"),
    row(f"POST {ACCESS}/users/someone/link/", "users.read, users.write"),
    row(f"POST {ACCESS}/users/someone/end-sessions/", "users.read, users.write", 302),
    row(f"POST {ACCESS}/users/someone/unlock/", "users.read, users.write", 302),
    row(f"POST {ACCESS}/users/robot/tokens/", "users.read, users.write", form={"name": "nightly", "days": "90"}),
    row(f"GET {ACCESS}/roles/", "roles.read"),
    row(f"GET {ACCESS}/roles/helper/", "roles.read"),
    row(f"POST {ACCESS}/roles/helper/", "roles.read, roles.write", 302, form={"name": "helper", "seen": "models.read"}),
    row(f"POST {ACCESS}/roles/helper/members/", "roles.read, roles.write", 302, form={"remove": "someone"}),
    row(f"GET {ACCESS}/roles/helper/delete/", "roles.read"),
    row(f"POST {ACCESS}/roles/helper/delete/", "roles.read, roles.write", 302),
    row(f"GET {ACCESS}/new-role/", "roles.write"),
    row(f"POST {ACCESS}/new-role/", "roles.write", 302, form={"name": "reader", "grant": "models.read"}),
    row(f"POST {ACCESS}/role-preview/", "roles.read", form={"of": "helper", "grant": "models.read"}),
    row(f"GET {ACCESS}/tokens/", "users.read"),
    row(f"POST {ACCESS}/tokens/{{token}}/revoke/", "users.read, users.write", 302),
    row(f"GET {ACCESS}/who-may/", "users.read", 302),
    row(f"GET {ACCESS}/who-may/production/", "users.read"),
]

ACCOUNT = [
    row("GET /account/", "signed in"),
    row("GET /guide/", "signed in"),
    row("GET /guide/concepts/", "signed in"),
    row("GET /sign-in/", "anybody", ok_signed_in=302),
    # Who may not sign in is told so beside the form.
    row("POST /sign-in/", "anybody", ok_signed_in=302),
    row("PUT /sign-in/", "anybody", ok_signed_in=302),
    row("POST /sign-out/", "anybody", 302),
    # Whoever has the link; what it leads to is in tests/accounts/test_links.py.
    row("GET {invitation}", "anybody", 302),
    row("POST {invitation}", "anybody", 302),
    row("GET {reset}", "anybody", 302),
    row("POST {reset}", "anybody", 302),
]

SETTINGS = "/p/default/settings"
WEBHOOK_FORM = {"name": "team", "kind": "signed", "target": "https://hooks.example.com/a", "which": "some"}
WEBHOOK_FORM |= {"event": "job.failed", "enabled": "on"}

SETTINGS_PAGES = [
    row(f"GET {SETTINGS}/", "settings.read"),
    row(f"GET {SETTINGS}/new-webhook/", "settings.write"),
    row(f"POST {SETTINGS}/new-webhook/", "settings.write, training.read, evaluations.read", form=WEBHOOK_FORM),
    row(f"GET {SETTINGS}/webhooks/{{webhook}}/", "settings.read"),
    row(
        f"POST {SETTINGS}/webhooks/{{webhook}}/",
        "settings.read, settings.write, training.read, evaluations.read",
        302,
        form={**WEBHOOK_FORM, "target": "https://hooks.example.com/b"},
    ),
    row(f"GET {SETTINGS}/webhooks/{{webhook}}/changes/", "settings.read"),
    row(f"POST {SETTINGS}/webhooks/{{webhook}}/test/", "settings.read, settings.write", 302),
    row(
        f"POST {SETTINGS}/webhooks/{{webhook}}/deliveries/{{delivery}}/redeliver/", "settings.read, settings.write", 302
    ),
    row(f"POST {SETTINGS}/webhooks/{{webhook}}/new-secret/", "settings.read, settings.write"),
    row(f"GET {SETTINGS}/webhooks/{{webhook}}/remove/", "settings.read"),
    row(f"POST {SETTINGS}/webhooks/{{webhook}}/remove/", "settings.read, settings.write", 302),
    row(f"GET {SETTINGS}/retention/", "settings.read"),
    row(f"POST {SETTINGS}/retention/", "settings.read, settings.write, models.delete", 302, form={"keep_models": "5"}),
]

FAMILIES = {
    "native": NATIVE,
    "Rasa X": RASA_X,
    "people": PEOPLE,
    "operations": OPERATIONS,
    "pages": PAGES,
    "access": ACCESS_PAGES,
    "pipelines": PIPELINE_PAGES,
    "settings": SETTINGS_PAGES,
    "account": ACCOUNT,
}
ROWS = [row for family in FAMILIES.values() for row in family]

# Tried by tests of their own, for the reason given: route and methods.
OWN = "everybody's own: pages/test_account.py"
ELSEWHERE: dict[str, tuple[set[str], str]] = {
    "account/name/": ({"POST"}, OWN),
    "account/password/": ({"POST"}, OWN),
    "account/sessions/": ({"POST"}, OWN),
    "account/tokens/": ({"POST"}, OWN),
    "account/tokens/<str:token>/revoke/": ({"POST"}, OWN),
    "api/schema/": ({"GET"}, "takes a second to write: test_schema.py"),
    "api/docs/": ({"GET"}, "with it: test_schema.py"),
    "api/v1/tokens/<str:token>/": ({"DELETE"}, "everybody's own: test_own.py"),
    "api/user/password": ({"POST"}, "everybody's own, but by no narrowed token: rasa_x/test_user.py"),
}


def multipart_body(row: Row, csrf: str | None) -> bytes:
    """The upload of a row; pages have their CSRF token in a field before the file."""
    assert row.file is not None
    fields = [multipart.field("csrfmiddlewaretoken", csrf)] if csrf is not None else []
    return multipart.body(*fields, multipart.file(*row.file))
