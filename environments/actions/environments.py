"""Environments made through the API: define, change and retire one, or the list that Rasa X clients send.

Those of environments.yml are `actions.declaration`'s; both write through `environment_rows`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

from django.db import transaction
from django.db.models import Max

from accounts.actor import Actor
from accounts.models import Project
from accounts.problems import SecretUnreadable
from environments import addresses, errors, names, permissions, spec
from environments.actions import environment_rows
from environments.models import Environment
from environments.states import DeclaredIn, Kind, RasaXWrites


class Fields(TypedDict, total=False):
    """What can be said of an environment. `follows` names another one of the project; `pull_interval` is in seconds,
    None: learned from the polls, or with `pulls_once` there is none."""

    url: str
    rasa_token: str
    jwt_secret: str
    kind: Kind
    protected: bool
    follows: str | None
    color: str
    replicas: int
    workers: int
    pull_interval: float | None
    pulls_once: bool
    rasa_x_writes: RasaXWrites


@dataclass(frozen=True)
class Listed:
    """One entry of the list of Rasa X; `token` None leaves the stored one."""

    name: str
    url: str
    token: str | None = field(repr=False)


# Through the API


@transaction.atomic
def define(*, project: Project, name: str, by: Actor, **fields: Unpack[Fields]) -> Environment:
    """A new environment, or a retired one of that name come back. What is not said has its default."""
    names.check_label(name, "environment", field="name")
    environment_rows.lock_project(project)
    by = by.anew()
    permissions.check_can_manage_environments(by, project)
    existing = Environment.objects.select_for_update(of=("self",)).filter(project=project, name=name).first()
    if existing and not existing.retired_at:
        _check_not_of_the_file(existing)
        raise errors.EnvironmentExists(f"There is an environment {name}. Change it, or choose another name.")
    environment_rows.check_tag_is_free(project, [name])
    environment = existing or Environment(project=project, name=name)
    _check_speaks(environment, fields, by)
    wanted = _with_defaults(environment, fields)
    _check_url(environment, wanted["url"])
    _check_can_follow(environment, wanted["follows"])
    if existing:
        _check_guard(existing, wanted, by)
        return environment_rows.restore(existing, wanted, by=by)
    environment.order = _next_order(project)
    return environment_rows.create(environment, wanted, by=by)


@transaction.atomic
def update(*, environment: Environment, by: Actor, **fields: Unpack[Fields]) -> Environment:
    """Change what is said. Another server (scheme, host or port) does not get the token of the one before."""
    environment_rows.lock_project(environment.project)
    by = by.anew()
    permissions.check_can_see_environment(by, environment)
    permissions.check_can_manage_environments(by, environment.project)
    locked = _lock(environment)
    _check_not_of_the_file(locked)
    _check_not_retired(locked)
    _check_speaks(locked, fields, by)
    wanted: dict[str, Any] = dict(fields)
    if "follows" in fields:
        wanted["follows"] = _target(locked, fields["follows"])
        if wanted["follows"] != locked.follows:
            _check_can_follow(locked, wanted["follows"])
    _check_guard(locked, wanted, by)
    if "url" in fields:
        _check_url(locked, fields["url"])
        if addresses.server_of(fields["url"]) != addresses.server_of(locked.url):
            wanted.setdefault("rasa_token", "")
    environment_rows.write(locked, wanted, by=by, action="environment.update", before=environment_rows.told(locked))
    return locked


@transaction.atomic
def retire(*, environment: Environment, by: Actor) -> None:
    """Take it out of use. Its history stays and its name stays reserved; defining it again brings it back."""
    environment_rows.lock_project(environment.project)
    by = by.anew()
    permissions.check_can_see_environment(by, environment)
    permissions.check_can_manage_environments(by, environment.project)
    locked = _lock(environment)
    _check_not_of_the_file(locked)
    _check_not_retired(locked)
    followers = list(locked.followers.active().values_list("name", flat=True))
    if followers:
        raise errors.HasFollowers(
            f"{locked.name} is followed by {', '.join(followers)}. Let them follow another one or none first.",
            followers=followers,
        )
    environment_rows.withdraw(locked, by=by)


@transaction.atomic
def put_list(*, project: Project, listed: Sequence[Listed], prune: bool, by: Actor) -> None:
    """Create and update as listed; environments of the file are left alone, absent ones are retired only by `prune`."""
    environment_rows.lock_project(project)
    by = by.anew()
    permissions.check_can_manage_environments(by, project)
    present = {environment.name: environment for environment in Environment.objects.active().filter(project=project)}
    # Production first: the worker follows it where both are new.
    for item in sorted(listed, key=lambda item: item.name == names.WORKER):
        _put(project, present.get(item.name), item, by)
    if prune:
        _prune(project, {item.name for item in listed}, by)


def _put(project: Project, present: Environment | None, item: Listed, by: Actor) -> None:
    if present is None:
        define(project=project, name=item.name, by=by, url=item.url, rasa_token=item.token or "")
    elif present.declared_in == DeclaredIn.API:
        fields: Fields = {"url": item.url}
        if item.token is not None:
            fields["rasa_token"] = item.token
        update(environment=present, by=by, **fields)


def _prune(project: Project, kept: Collection[str], by: Actor) -> None:
    absent = Environment.objects.active().filter(project=project, declared_in=DeclaredIn.API).exclude(name__in=kept)
    # Followers first: an environment that is followed cannot be retired.
    for environment in sorted(absent.select_related("project"), key=lambda environment: environment.follows_id is None):
        retire(environment=environment, by=by)


# Whether it can be


def _lock(environment: Environment) -> Environment:
    environments = Environment.objects.select_for_update(of=("self",)).select_related("project")
    return environments.get(pk=environment.pk)


def _check_guard(environment: Environment, wanted: Mapping[str, Any], by: Actor) -> None:
    """Who decides what it follows decides what it serves, and who takes its protection away lets all developers
    promote to it: both are for those who may promote to it."""
    follows = wanted.get("follows", environment.follows)
    unguarded = environment.protected and not wanted.get("protected", True)
    if unguarded or follows != environment.follows:
        permissions.check_can_promote(by, environment)


def _check_speaks(environment: Environment, fields: Fields, by: Actor) -> None:
    """Who knows the secret talks to the bot as anybody: to choose it is for those who may talk to it."""
    if "jwt_secret" in fields and not _has_secret(environment, fields["jwt_secret"]):
        permissions.check_can_talk(by, environment.project)


def _has_secret(environment: Environment, secret: str) -> bool:
    try:
        return environment.jwt_secret == secret
    except SecretUnreadable:
        return False


def _check_not_of_the_file(environment: Environment) -> None:
    if environment.declared_in == DeclaredIn.FILE and not environment.retired_at:
        raise errors.DeclaredInFile(
            f"{environment.name} is declared in environments.yml. Change it there, then run sync_environments."
        )


def _check_not_retired(environment: Environment) -> None:
    if environment.retired_at:
        raise errors.EnvironmentRetired(f"{environment.name} is retired. Define it again to bring it back.")


def _check_url(environment: Environment, url: str) -> None:
    addresses.check_url(url)
    wanted = addresses.same_url(url)
    for other in Environment.objects.active().exclude(pk=environment.pk):
        if addresses.same_url(other.url) == wanted:
            # Another project's environments are nobody else's business.
            which = other.name if other.project_id == environment.project_id else "An environment of another project"
            raise errors.UrlTaken(f"{which} has this address. Give each environment its own Rasa server.")


def _target(environment: Environment, name: str | None) -> Environment | None:
    if name is None:
        return None
    found = Environment.objects.active().filter(project_id=environment.project_id, name=name).first()
    if found is None:
        raise errors.CannotFollow(f"There is no environment {name} to follow in this project.")
    return found


def _check_can_follow(environment: Environment, target: Environment | None) -> None:
    if target is None:
        return
    if target.pk == environment.pk:
        raise errors.CannotFollow(f"{environment.name} cannot follow itself. Name another one, or none.")
    if target.follows_id:
        raise errors.CannotFollow(
            f"{target.name} follows another itself, and there are no chains. Follow that one instead."
        )
    if environment.pk and environment.followers.active().exists():
        raise errors.CannotFollow(f"Others follow {environment.name}, and there are no chains. Let them go first.")


def _with_defaults(environment: Environment, fields: Fields) -> dict[str, Any]:
    others = Environment.objects.active().filter(project_id=environment.project_id, follows=None)
    kind = fields.get("kind", spec.default_kind(environment.name))
    follows = spec.default_follows(environment.name, kind, others.values_list("name", flat=True))
    return {
        "url": "",
        "rasa_token": "",
        "jwt_secret": "",
        "protected": spec.default_protected(environment.name),
        "color": environment_rows.free_color(environment),
        "replicas": 1,
        "workers": 1,
        "pull_interval": None,
        "pulls_once": False,
        "rasa_x_writes": RasaXWrites.ALLOW,
        "declared_in": DeclaredIn.API,
        **fields,
        "kind": kind,
        "follows": _target(environment, fields.get("follows", follows)),
    }


def _next_order(project: Project) -> int:
    highest = Environment.objects.filter(project=project).aggregate(highest=Max("order"))["highest"]
    return 0 if highest is None else highest + 1
