"""Who may. Every door asks these functions; *can it now* is `states` and the actions' business.

Not allowed to see: 404. Allowed to see but not to do: 403 naming the missing grant.
"""

from collections.abc import Collection, Mapping

from accounts.actor import Actor
from accounts.grants_table import PROJECT_GRANTS
from accounts.models import ApiToken, Project, Role, User
from accounts.models import project as project_names
from accounts.problems import InvalidFields, MissingGrant, NotFound
from environments import role_grants
from environments.errors import NarrowToken
from environments.models import Environment, Job
from environments.states import JobKind

# Whose grants a kind of job needs.
CATEGORIES = {
    JobKind.TRAINING: "training",
    JobKind.FETCH: "training",
    JobKind.EVALUATION: "evaluations",
    JobKind.CHECK: "evaluations",
}

# What one must hold to be told of events, by the first word of their names.
READING = {
    "promotion": ("environments.read",),
    "replica": ("environments.read",),
    "environment": ("environments.read",),
    "recovered": ("environments.read",),
    # Of every kind.
    "job": ("training.read", "evaluations.read"),
    "gate": ("pipelines.read",),
    "pipeline": ("pipelines.read",),
}


def _check(actor: Actor, project: Project, grant: str) -> None:
    if not actor.may(project, grant):
        raise MissingGrant(grant)


def check_can_see_project(actor: Actor, project: Project) -> None:
    if not actor.sees(project):
        raise NotFound(f"There is no project {project.name}.")


def check_can_read_environments(actor: Actor, project: Project) -> None:
    check_can_see_project(actor, project)
    _check(actor, project, "environments.read")


def check_can_measure(actor: Actor) -> None:
    """Read metrics: of the environments of every project in which one may read environments."""
    projects = Project.objects.all()
    if not any(actor.sees(project) for project in projects):
        raise NotFound("There is nothing to measure: you see no project.")
    if not any(actor.may(project, "environments.read") for project in projects):
        raise MissingGrant("environments.read")


def kinds(actor: Actor, project: Project) -> list[JobKind]:
    """The kinds of jobs whose figures the actor may read."""
    return [kind for kind in JobKind if actor.may(project, f"{CATEGORIES[kind]}.read")]


def can_measure_installation(actor: Actor) -> bool:
    """Also what is of no project: requests, and the periodic steps of the workers."""
    return actor.may(_installation(), "settings.read")


def check_can_see_environment(actor: Actor, environment: Environment) -> None:
    if not actor.may(environment.project, "environments.read"):
        raise NotFound(f"There is no environment {environment.name}.")


def can_promote(actor: Actor, environment: Environment) -> bool:
    return actor.may_on_environment(environment.project_id, environment.pk, environment.name, "write")


def check_can_promote(actor: Actor, environment: Environment) -> None:
    """Promote to it, roll it back, retry its replicas."""
    check_can_see_environment(actor, environment)
    if not can_promote(actor, environment):
        raise MissingGrant(f"environments.{environment.name}.write")


def check_can_force(actor: Actor, environment: Environment) -> None:
    """Promote against a refusal for the Rasa version."""
    check_can_promote(actor, environment)
    if not actor.may_on_environment(environment.project_id, environment.pk, environment.name, "force"):
        raise MissingGrant(f"environments.{environment.name}.force")


def check_can_manage_environments(actor: Actor, project: Project) -> None:
    check_can_see_project(actor, project)
    _check(actor, project, "environments.manage")


def check_can_read_models(actor: Actor, project: Project) -> None:
    check_can_see_project(actor, project)
    _check(actor, project, "models.read")


def check_can_write_models(actor: Actor, project: Project) -> None:
    """Upload models, move free tags."""
    check_can_see_project(actor, project)
    _check(actor, project, "models.write")


def check_can_delete_models(actor: Actor, project: Project) -> None:
    check_can_see_project(actor, project)
    _check(actor, project, "models.delete")


def check_can_read_training(actor: Actor, project: Project) -> None:
    check_can_see_project(actor, project)
    _check(actor, project, "training.read")


def check_can_train(actor: Actor, project: Project) -> None:
    check_can_see_project(actor, project)
    _check(actor, project, "training.write")


def check_can_read_evaluations(actor: Actor, project: Project) -> None:
    check_can_see_project(actor, project)
    _check(actor, project, "evaluations.read")


def check_can_evaluate(actor: Actor, project: Project) -> None:
    """Test models, and take results away."""
    check_can_see_project(actor, project)
    _check(actor, project, "evaluations.write")


def check_can_read_job(actor: Actor, project: Project, kind: JobKind) -> None:
    check_can_see_project(actor, project)
    _check(actor, project, f"{CATEGORIES[kind]}.read")


def check_can_cancel(actor: Actor, job: Job) -> None:
    """End a job, also somebody else's: who may submit one of its kind may stop it."""
    check_can_see_project(actor, job.project)
    _check(actor, job.project, f"{CATEGORIES[JobKind(job.kind)]}.write")


def check_can_read_pipelines(actor: Actor, project: Project) -> None:
    check_can_see_project(actor, project)
    _check(actor, project, "pipelines.read")


def check_can_write_pipelines(actor: Actor, project: Project) -> None:
    """Declare and run pipelines; each of their steps needs its own grant on top."""
    check_can_see_project(actor, project)
    _check(actor, project, "pipelines.write")


def check_can_read_conversations(actor: Actor, project: Project) -> None:
    check_can_see_project(actor, project)
    _check(actor, project, "conversations.read")


def check_can_edit_conversations(actor: Actor, project: Project) -> None:
    """Forget one, mark examples in it: who may only talk sees none."""
    check_can_read_conversations(actor, project)
    _check(actor, project, "conversations.write")


def check_can_talk(actor: Actor, project: Project) -> None:
    check_can_see_project(actor, project)
    _check(actor, project, "conversations.write")


def check_can_write_guest_link(actor: Actor, project: Project) -> None:
    """Let people talk who have no account: a setting, and nobody gives what they do not hold."""
    check_can_see_project(actor, project)
    _check(actor, project, "settings.write")
    _check(actor, project, "conversations.write")


def check_can_read_settings(actor: Actor, project: Project) -> None:
    """Webhooks, their deliveries, retention."""
    check_can_see_project(actor, project)
    _check(actor, project, "settings.read")


def check_can_write_retention(actor: Actor, project: Project) -> None:
    """Say what is deleted by itself: a setting, and nobody has done what they may not do."""
    check_can_write_settings(actor, project)
    _check(actor, project, "models.delete")


def check_can_preview_retention(actor: Actor, project: Project) -> None:
    """It names models and bundles."""
    check_can_read_settings(actor, project)
    _check(actor, project, "models.read")
    _check(actor, project, "training.read")


def check_can_write_settings(actor: Actor, project: Project) -> None:
    check_can_see_project(actor, project)
    _check(actor, project, "settings.write")


def check_can_hear(actor: Actor, project: Project, events: Collection[str]) -> None:
    """Have notifications of these events sent somewhere: nobody gives away what they may not read."""
    for grant in dict.fromkeys(grant for event in events for grant in READING[event.partition(".")[0]]):
        _check(actor, project, grant)


def check_can_write_tokens(actor: Actor, project: Project) -> None:
    """Own API tokens."""
    check_can_see_project(actor, project)
    _check(actor, project, "tokens.write")


def check_can_write_own_tokens(actor: Actor) -> None:
    """Own API tokens, on a page that is of no project."""
    if not _holds_somewhere(actor, "tokens.write"):
        raise MissingGrant("tokens.write")


def check_can_revoke(actor: Actor, token: ApiToken) -> None:
    """An own token: a session or an unnarrowed token ends any of them, a narrower one itself, others with the grant."""
    narrowed = actor.token is not None and actor.token.grants is not None
    if narrowed and actor.token != token and not _holds_somewhere(actor, "tokens.write"):
        raise MissingGrant("tokens.write")


def holds(actor: Actor, project: Project, word: str) -> bool:
    """Whether the actor holds a grant of the project, in words."""
    return not missing(actor, project, [word])


def missing(actor: Actor, project: Project, words: Collection[str]) -> list[str]:
    """Those of `words` that the actor does not hold in the project. Two queries at most for any number of them."""
    lacking = [word for word in words if word in PROJECT_GRANTS and not actor.may(project, word)]
    named = [word for word in words if word not in PROJECT_GRANTS]
    if named:
        environments = {row.name: row for row in Environment.objects.filter(project=project)}
        lacking += [word for word in named if not _holds_on(actor, word, environments)]
    return role_grants.ordered(lacking)


def _holds_on(actor: Actor, word: str, environments: Mapping[str, Environment]) -> bool:
    _, name, action = word.split(".")
    one = environments.get(name)
    return one is not None and actor.may_on_environment(one.project_id, one.pk, one.name, action)


def check_holds_all(actor: Actor, project: Project, words: Collection[str]) -> None:
    """Nobody gives, takes or edits a grant they do not hold; the first that is missing is named."""
    lacking = missing(actor, project, words)
    if lacking:
        raise MissingGrant(lacking[0])


def check_can_give(actor: Actor, grants: Collection[str]) -> None:
    """Narrow a token to `grants`. Nobody gives what they do not hold, somewhere."""
    unknown = [grant for grant in grants if not role_grants.is_grant(grant)]
    if unknown:
        raise InvalidFields(
            f"There is no grant {unknown[0][:100]!r}.",
            errors={"grants": [f"Known are {', '.join(PROJECT_GRANTS)} and environments.<name>.write or .force."]},
        )
    lacking = _held_nowhere(actor, grants)
    if lacking:
        raise MissingGrant(lacking[0])


def _holds_somewhere(actor: Actor, grant: str) -> bool:
    return not _held_nowhere(actor, [grant])


def _held_nowhere(actor: Actor, grants: Collection[str]) -> list[str]:
    """Those of `grants` that are held in no project, and on no environment of the name in it. Two queries at most for
    any number of them."""
    projects = Project.objects.all()
    lacking = [word for word in grants if word in PROJECT_GRANTS and not any(actor.may(one, word) for one in projects)]
    named = [word for word in grants if word not in PROJECT_GRANTS]
    if named:
        places = list(Environment.objects.filter(name__in={word.split(".")[1] for word in named}))
        lacking += [word for word in named if not any(_may_on(actor, word, place) for place in places)]
    return lacking


def _may_on(actor: Actor, word: str, environment: Environment) -> bool:
    _, name, action = word.split(".")
    same = environment.name == name
    return same and actor.may_on_environment(environment.project_id, environment.pk, environment.name, action)


# People and their roles


def _installation() -> Project:
    """Where `users` counts: accounts are installation-wide, and belong to the default project's administrators."""
    return Project.objects.get(name=project_names.DEFAULT)


def check_can_read_users(actor: Actor) -> None:
    default = _installation()
    check_can_see_project(actor, default)
    _check(actor, default, "users.read")


def can_read_users(actor: Actor) -> bool:
    return actor.may(_installation(), "users.read")


def check_can_write_users(actor: Actor) -> None:
    default = _installation()
    check_can_see_project(actor, default)
    _check(actor, default, "users.write")


def check_can_edit_user(actor: Actor, user: User) -> None:
    """Deactivate, reset, rename somebody: only who holds every grant that this account has, in every project."""
    check_can_write_users(actor)
    roles = list(Role.objects.of_user(user).select_related("project"))
    words = role_grants.of_roles(roles)
    for project in {role.project for role in roles}:
        held = (words[role.pk] for role in roles if role.project == project)
        check_holds_all(actor, project, frozenset().union(*held))


def check_can_end_token(actor: Actor, token: ApiToken) -> None:
    """Revoke an own token, or one of an account that one may edit."""
    if token.user == actor.user:
        check_can_revoke(actor, token)
    else:
        check_can_edit_user(actor, token.user)


def check_can_make_token_for(actor: Actor, account: User) -> None:
    """A token of a service account: it may do what the account may, so who makes it holds all of that."""
    check_can_edit_user(actor, account)
    if account.service_of_id is None:
        raise NotFound(f"{account.username} is a person, who makes their own tokens.")


def check_can_edit_own_account(actor: Actor) -> None:
    """Its name and password: not by a token that was made for less."""
    if actor.token is not None and actor.token.grants is not None:
        raise NarrowToken("A token with narrower grants does not change the account. Sign in, or use a token without.")


def check_can_rename(actor: Actor, user: User) -> None:
    """One's own account; else as every edit of an account."""
    if actor.user == user and user.service_of_id is None:
        check_can_edit_own_account(actor)
    else:
        check_can_edit_user(actor, user)


def check_can_read_roles(actor: Actor, project: Project) -> None:
    check_can_see_project(actor, project)
    _check(actor, project, "roles.read")


def check_can_write_roles(actor: Actor, project: Project) -> None:
    """Make roles, and say who has them."""
    check_can_see_project(actor, project)
    _check(actor, project, "roles.write")


def check_can_read_audit(actor: Actor, project: Project) -> None:
    check_can_see_project(actor, project)
    _check(actor, project, "audit.read")
