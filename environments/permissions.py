"""Who may. Every door asks these functions; *can it now* is `states` and the actions' business.

Not allowed to see: 404. Allowed to see but not to do: 403 naming the missing grant.
"""

import re
from collections.abc import Collection

from accounts.actor import Actor
from accounts.grants_table import ENVIRONMENT_GRANTS, PROJECT_GRANTS
from accounts.models import ApiToken, Project
from accounts.problems import InvalidFields, MissingGrant, NotFound
from environments import names
from environments.models import Environment

ENVIRONMENT_GRANT = re.compile(rf"environments\.{names.LABEL.pattern}\.({'|'.join(ENVIRONMENT_GRANTS)})", re.ASCII)


def _check(actor: Actor, project: Project, grant: str) -> None:
    if not actor.may(project, grant):
        raise MissingGrant(grant)


def check_can_see_project(actor: Actor, project: Project) -> None:
    if not actor.sees(project):
        raise NotFound(f"There is no project {project.name}.")


def check_can_read_environments(actor: Actor, project: Project) -> None:
    check_can_see_project(actor, project)
    _check(actor, project, "environments.read")


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


def check_can_read_conversations(actor: Actor, project: Project) -> None:
    check_can_see_project(actor, project)
    _check(actor, project, "conversations.read")


def check_can_talk(actor: Actor, project: Project) -> None:
    check_can_see_project(actor, project)
    _check(actor, project, "conversations.write")


def check_can_write_tokens(actor: Actor, project: Project) -> None:
    """Own API tokens."""
    check_can_see_project(actor, project)
    _check(actor, project, "tokens.write")


def check_can_revoke(actor: Actor, token: ApiToken) -> None:
    """An own token: a session or an unnarrowed token ends any of them, a narrower one itself, others with the grant."""
    narrowed = actor.token is not None and actor.token.grants is not None
    if narrowed and actor.token != token and not _holds(actor, "tokens.write"):
        raise MissingGrant("tokens.write")


def _holds(actor: Actor, grant: str) -> bool:
    """Whether `grant` is held anywhere: in some project, or on some environment of the name in it."""
    if grant in PROJECT_GRANTS:
        return any(actor.may(project, grant) for project in Project.objects.all())
    _, name, action = grant.split(".")
    named = Environment.objects.filter(name=name)
    return any(actor.may_on_environment(one.project_id, one.pk, one.name, action) for one in named)


def check_can_give(actor: Actor, grants: Collection[str]) -> None:
    """Narrow a token to `grants`. Nobody gives what they do not hold."""
    for grant in grants:
        if grant not in PROJECT_GRANTS and not ENVIRONMENT_GRANT.fullmatch(grant):
            raise InvalidFields(
                f"There is no grant {grant[:100]!r}.",
                errors={"grants": [f"Known are {', '.join(PROJECT_GRANTS)} and environments.<name>.write or .force."]},
            )
        if not _holds(actor, grant):
            raise MissingGrant(grant)
