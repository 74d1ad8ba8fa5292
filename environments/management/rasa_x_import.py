"""Copy models, roles and users of a Rasa X server, each through the action that every other door uses.

Running it again goes on where it stopped: what is here already is left alone, and no archive is fetched twice.
"""

import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.db import transaction

from accounts.actor import Actor
from accounts.grants_table import BUILT_IN_ROLES, PROJECT_GRANTS
from accounts.models import Project, Role, User
from accounts.problems import Problem
from environments import errors, names, role_grants
from environments.actions import promotions, roles, tags, users
from environments.clients import rasa_x
from environments.clients.rasa_x import NotRasaX, RasaXClient, RasaXRefused, RasaXUnreachable
from environments.models import Environment, Tag, TrainedModel
from environments.receiving import full_storage_told, receive_model

TRIES = 3
TAKEN, THERE, NOT_TAKEN, BY_HAND = "taken", "there already", "not taken", "to do by hand"
PLATFORM_TAG_ENVIRONMENTS = frozenset({names.PRODUCTION, names.WORKER, names.ACTIVE})
SERVICE = "api_token"

Tell = Callable[[str], None]


@dataclass
class Summary:
    """What became of everything: (kind of thing, outcome) → how many, and a sentence for what needs a person."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def lines(self, *, foreseen: bool) -> Iterator[str]:
        for kind in dict.fromkeys(kind for kind, _ in self.counts):
            told = [f"{count} {outcome}" for (other, outcome), count in self.counts.items() if other == kind]
            yield f"{kind}: {', '.join(told)}"
        if self.notes:
            yield "Not taken, or to do by hand:"
            yield from (f"  {note}" for note in self.notes)
        if foreseen:
            yield "Nothing was changed. Leave out --dry-run to do it."


class Remembered:
    """Which hash of the other server is which of ours, for models whose archives were fetched: its hashes may be of
    another kind. A line is added when a model is in; one that a kill tore is passed over."""

    def __init__(self, url: str, project: str) -> None:
        folder = Path(settings.CONTROLPLANE_HOME) / "imports"
        folder.mkdir(mode=0o700, exist_ok=True)
        self._file = folder / f"{sha256(f'{url} {project}'.encode()).hexdigest()[:16]}.jsonl"
        self._known: dict[tuple[str, str], str] = {}
        for line in self._file.read_text().splitlines() if self._file.exists() else ():
            try:
                name, theirs, ours = json.loads(line)
            except ValueError:
                continue
            self._known[name, theirs] = ours

    def ours(self, model: rasa_x.Model) -> str:
        """The SHA-256 of the model; empty where it was not fetched yet."""
        return self._known.get((model.name, model.hash), model.hash if len(model.hash) == 64 else "")

    def add(self, model: rasa_x.Model, ours: str) -> None:
        self._known[model.name, model.hash] = ours
        with self._file.open("a") as file:
            file.write("\n" + json.dumps([model.name, model.hash, ours]))


@dataclass
class Import:
    """`tell` gets a line for each thing, `progress` what changes within one. `invitations` is where links go."""

    client: RasaXClient
    project: Project
    by: Actor
    tell: Tell
    progress: Tell
    invitations: Path
    promote: bool = False
    dry_run: bool = False
    summary: Summary = field(default_factory=Summary)

    def run(self) -> Summary:
        """Raises `RasaXError` where it cannot go on; all that came before stays."""
        self.remembered = Remembered(self.client.url, f"{self.client.project} {self.project.name}")
        self._models()
        self._each("roles", self.client.roles, self._role)
        self._each("users", self.client.users, self._user)
        return self.summary

    # Telling

    def _note(self, kind: str, name: str, outcome: str, why: str = "") -> None:
        self.summary.counts[kind, outcome] += 1
        foreseen = f"would be {outcome}" if self.dry_run and outcome == TAKEN else outcome
        self.tell(f"{kind} {name}: {foreseen}{f' ({why})' if why and outcome != NOT_TAKEN else ''}")
        if outcome in (NOT_TAKEN, BY_HAND):
            self.summary.notes.append(f"{kind} {name}: {why}")

    def _each(self, kind: str, ask: Callable[[], list[Any]], take: Callable[[Any], None]) -> None:
        try:
            found = ask()
        except (RasaXRefused, NotRasaX) as refused:
            self._note(kind, "(all)", NOT_TAKEN, f"Rasa X does not show them to this token. {refused}")
            return
        for one in found:
            take(one)

    # Models and tags

    def _models(self) -> None:
        self._environments = self.client.environments() | PLATFORM_TAG_ENVIRONMENTS
        # The oldest first, so that they are in the same order here.
        for model in reversed(self.client.models()):
            try:
                found = self._model(model)
            except Problem as problem:
                self._note("model", model.name, NOT_TAKEN, problem.detail)
                continue
            for tag in dict.fromkeys(names.canonical_tag(tag) for tag in model.tags if tag != names.LATEST):
                self._tag(tag, model.name, found)

    def _model(self, model: rasa_x.Model) -> TrainedModel | None:
        """The model as it is here; None where it only would be."""
        names.check_model_name(model.name)
        present = TrainedModel.objects.present().filter(project=self.project)
        known = present.filter(hash=self.remembered.ours(model)).first() if self.remembered.ours(model) else None
        if known is not None:
            self._note("model", model.name, THERE, "" if known.name == model.name else f"as {known.name}")
            return known
        if self.dry_run:
            taken = present.filter(name=model.name).exists()
            why = "a model of this name is here; the same bytes are no conflict" if taken else ""
            self._note("model", model.name, TAKEN, why)
            return None
        found, created = self._fetch(model)
        self.remembered.add(model, found.hash)
        self._note("model", model.name, TAKEN if created else THERE, "" if found.name == model.name else found.name)
        return found

    def _fetch(self, model: rasa_x.Model) -> tuple[TrainedModel, bool]:
        with full_storage_told(), _spooled() as file:
            self._download(model, file)
            try:
                received = receive_model(project=self.project, name=model.name, stream=file, by=self.by)
            except errors.BytesTaken as taken:
                return TrainedModel.objects.present().get(project=self.project, name=taken.data["existing"]), False
        return received.model, received.created

    def _download(self, model: rasa_x.Model, file: BinaryIO) -> None:
        """From the beginning again where it breaks off, a few times."""
        for attempt in range(1, TRIES + 1):
            file.seek(0)
            file.truncate()
            try:
                self.client.download(model.name, file, self._progress_of(model.name))
            except RasaXUnreachable:
                if attempt == TRIES:
                    raise
                time.sleep(attempt)
            else:
                break
        file.seek(0)

    def _progress_of(self, name: str) -> Callable[[int, int], None]:
        def told(got: int, total: int) -> None:
            if got > settings.MAX_MODEL_BYTES:
                raise errors.UploadTooLarge(f"It has more than {settings.MAX_MODEL_BYTES} bytes (MAX_MODEL_BYTES).")
            share = f" of {total / 1e6:.1f}" if total else ""
            self.progress(f"model {name}: {got / 1e6:.1f}{share} MB")

        return told

    def _tag(self, tag: str, name: str, model: TrainedModel | None) -> None:
        """A free tag is put where it is on no other model here. An environment's is a promotion."""
        environment = tags.environment_of(self.project, tag) if names.LABEL.fullmatch(tag) else None
        if environment is not None or tag in self._environments:
            self._environment_tag(tag, name, model, environment)
            return
        held = Tag.objects.filter(project=self.project, name=tag).select_related("model").first()
        if held is not None:
            same = held.model == model
            why = "" if same else f"it is on {held.model} here and was left there"
            self._note("tag", tag, THERE if same else NOT_TAKEN, why)
            return
        self._change("tag", tag, lambda: tags.put(project=self.project, tag=tag, model=_made(model), by=self.by))

    def _environment_tag(
        self, tag: str, name: str, model: TrainedModel | None, environment: Environment | None
    ) -> None:
        if environment is None or environment.retired_at:
            why = f"{name} is tagged {tag} there, and no environment {tag} is here. Declare it in environments.yml."
        elif environment.follows_id:
            return
        elif (current := promotions.current_model(environment)) is not None:
            if current == model:
                self._note("tag", tag, THERE)
                return
            why = f"{environment.name} has {current} here. To promote: manage.py promote {name} {environment.name}"
        elif not self.promote:
            why = f"To promote: manage.py promote {name} {environment.name}, or run this with --promote."
        else:
            reason = "taken over from Rasa X"
            self._change(
                "tag",
                tag,
                lambda: promotions.promote(environment=environment, model=_made(model), by=self.by, reason=reason),
            )
            return
        self._note("tag", tag, BY_HAND, why)

    def _change(self, kind: str, name: str, change: Callable[[], object], why: str = "") -> None:
        try:
            if not self.dry_run:
                change()
        except Problem as problem:
            self._note(kind, name, NOT_TAKEN, problem.detail)
        else:
            self._note(kind, name, TAKEN, why)

    # Roles and users

    def _role(self, role: rasa_x.Role) -> None:
        if Role.objects.filter(project=self.project).named(role.name).exists():
            why = "built in, with the grants it has here" if role.name in BUILT_IN_ROLES else ""
            self._note("role", role.name, THERE, why)
            return
        known, unknown = self._translated(role)
        self._change(
            "role",
            role.name,
            lambda: roles.create(
                project=self.project, name=role.name, grants=known, description=role.description[:500], by=self.by
            ),
        )
        if unknown:
            self.summary.notes.append(f"role {role.name}: without {', '.join(unknown)}, which mean nothing here")

    def _translated(self, role: rasa_x.Role) -> tuple[list[str], list[str]]:
        """The grants that there are here, and the words that are none."""
        environments = {f"environments.{name}" for name in self._names_of_environments()}
        words = role_grants.ordered(role_grants.from_categories(role.grants))
        known = [
            word
            for word in words
            if role_grants.is_grant(word) and (word in PROJECT_GRANTS or word.rpartition(".")[0] in environments)
        ]
        return known, [word for word in words if word not in known]

    def _names_of_environments(self) -> list[str]:
        return list(Environment.objects.filter(project=self.project).values_list("name", flat=True))

    def _user(self, user: rasa_x.User) -> None:
        if User.objects.named(user.username).exists():
            self._note("user", user.username, THERE, "with the roles they have here")
            return
        here = {role.name: role for role in Role.objects.filter(project=self.project)}
        missing = [name for name in user.roles if name not in here]
        given = [here[name] for name in user.roles if name in here]
        self._change("user", user.username, lambda: self._make(user, given), ", ".join(role.name for role in given))
        if missing and not self.dry_run:
            self.summary.notes.append(f"user {user.username}: without {', '.join(missing)}, which were not taken")
        if user.mechanism == SERVICE:
            self.summary.notes.append(f"user {user.username}: a service account; make it new tokens")

    @transaction.atomic
    def _make(self, user: rasa_x.User, given: list[Role]) -> None:
        """The account, and the link by which a person chooses a password. The link is in the file before the account
        is there: a kill in between leaves a link that opens nothing."""
        service = user.mechanism == SERVICE
        made = users.create(username=user.username, by=self.by, project=self.project, roles=given, is_service=service)
        if not service:
            link = settings.PUBLIC_URL + users.invite(user=made, by=self.by)
            _append(self.invitations, f"{made.username} {link}\n")


def _made(model: TrainedModel | None) -> TrainedModel:
    assert model is not None  # noqa: S101  # only a dry run has none, and that changes nothing
    return model


def _append(path: Path, line: str) -> None:
    """Readable by its owner alone, and on the disk when this returns."""
    number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(number, "a") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _spooled() -> Iterator[BinaryIO]:
    """A file without a name: nothing is left of it, however the process ends."""
    folder = Path(settings.CONTROLPLANE_HOME) / "spool"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        yield cast(BinaryIO, file)
