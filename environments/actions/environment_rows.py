"""Writing one environment's row, the same for every door: what changed is written, with one audit event."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.utils import timezone

from accounts.actions import audit
from accounts.actor import Actor
from accounts.models import Project
from environments import addresses, errors, spec
from environments.actions import promotions, roles
from environments.models import Environment, ServerCheck, Tag

# What the audit trail tells of an environment: all but its secrets.
TOLD = (
    "url",
    "kind",
    "protected",
    "color",
    "replicas",
    "workers",
    "pull_interval",
    "pulls_once",
    "rasa_x_writes",
    "declared_in",
)
SECRETS = ("rasa_token", "jwt_secret")


def lock_project(project: Project) -> None:
    """One definition at a time in a project. Rows that refer to the project may still be added (`no_key`).

    Protection decides what developers may, so no role is changed meanwhile either; that lock always comes first.
    """
    roles.lock_access()
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def check_tag_is_free(project: Project, new_names: Collection[str]) -> None:
    """Refuse a new environment whose name is a free tag; the tag of a retired environment is its own."""
    reserved = Environment.objects.filter(project=project).values("name")
    tags = Tag.objects.filter(project=project, name__in=new_names).exclude(name__in=reserved).select_related("model")
    taken = {tag.name: tag.model.name for tag in tags}
    if taken:
        which = ", ".join(f"{tag} (on {model})" for tag, model in taken.items())
        raise errors.TagConflict(
            f"A free tag has the name of the environment: {which}. Remove the tag first, or choose another name.",
            tags=taken,
        )


def free_color(environment: Environment) -> str:
    """The colour it has, or the next one of the palette: an environment keeps its colour."""
    if environment.color:
        return environment.color
    taken = Environment.objects.filter(project_id=environment.project_id).values_list("color", flat=True)
    return spec.default_color(environment.name, set(taken))


def told(environment: Environment) -> dict[str, Any]:
    """What the audit trail says of it: secrets only as being there."""
    follows = {"follows": environment.follows.name if environment.follows else None}
    secrets = {f"has_{name}": bool(getattr(environment, f"sealed_{name}")) for name in SECRETS}
    return {name: getattr(environment, name) for name in TOLD} | follows | secrets


def create(environment: Environment, fields: Mapping[str, Any], *, by: Actor) -> Environment:
    _assign(environment, fields)
    environment.save()
    _record(environment, by=by, action="environment.create", after=told(environment))
    roles.follow_protection(environment=environment, by=by)
    return environment


def restore(environment: Environment, fields: Mapping[str, Any], *, by: Actor) -> Environment:
    """Back from retirement, with its history and with the model it had."""
    before = told(environment) | {"retired": True}
    environment.retired_at = None
    environment.follows = None
    environment.save()
    write(environment, fields, by=by, action="environment.restore", before=before)
    return environment


def withdraw(environment: Environment, *, by: Actor) -> None:
    environment.retired_at = timezone.now()
    environment.save(update_fields=["retired_at"])
    _record(environment, by=by, action="environment.retire", before=told(environment))


def write(
    environment: Environment, fields: Mapping[str, Any], *, by: Actor, action: str, before: dict[str, Any]
) -> bool:
    """Write what changed, with one audit event; False where nothing did."""
    sealed = {name: getattr(environment, f"sealed_{name}") for name in SECRETS}
    server = addresses.server_of(environment.url)
    if fields.get("follows") and fields["follows"] != environment.follows:
        _give_up_own_tag(environment, fields["follows"], by)
    _assign(environment, fields)
    after = told(environment)
    for name in SECRETS:
        if sealed[name] and getattr(environment, f"sealed_{name}") not in ("", sealed[name]):
            after[name] = "changed"
    changed = [name for name in after if before.get(name) != after[name]]
    if not changed and "retired" not in before:
        return False
    environment.save()
    if addresses.server_of(environment.url) != server:
        # What the last server said of itself says nothing of this one.
        ServerCheck.objects.filter(environment=environment).delete()
    _record(
        environment,
        by=by,
        action=action,
        before={name: before[name] for name in (*changed, "retired") if name in before},
        after={name: after[name] for name in changed},
    )
    # Not by coming back from retirement alone: what developers may there was decided since, or before.
    if "protected" in changed:
        roles.follow_protection(environment=environment, by=by)
    return True


def _record(environment: Environment, *, by: Actor, action: str, before: Any = None, after: Any = None) -> None:
    audit.record(
        by=by,
        action=action,
        object=f"environment:{environment.name}",
        project=environment.project,
        before=before,
        after=after,
    )


def _assign(environment: Environment, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        setattr(environment, name, value)


def _give_up_own_tag(environment: Environment, target: Environment, by: Actor) -> None:
    """A follower has no tag of its own: what it had is a promotion to nothing, told in its history."""
    if environment.follows_id is None and promotions.current_model(environment) is not None:
        reason = f"{environment.name} follows {target.name} from now on."
        promotions.promote(environment=environment, model=None, by=by, reason=reason)


def renumber(environments: Iterable[Environment]) -> None:
    """Give them the order in which they come."""
    for order, environment in enumerate(environments):
        if environment.order != order:
            Environment.objects.filter(pk=environment.pk).update(order=order)
