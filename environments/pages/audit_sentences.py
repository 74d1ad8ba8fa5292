"""An audit event as a sentence: who did what. An action that is not known here still reads sensibly."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from accounts.models import AuditEvent

# `{name}` is the object's name, `{after.x}` and `{before.x}` members of what changed.
SENTENCES = {
    "address.locked": "locked every sign-in from {name}: too many wrong passwords",
    "audit.export": "took the audit trail away as {after.format}",
    "audit.protect": "put the audit trail under protection again: its triggers were missing or disabled",
    "bundle.create": "sent bundle {name}",
    "bundle.remove": "let go of the bytes of bundle {name}",
    "bundle.restore": "brought bundle {name} back",
    "conversation.delete": "had a conversation with {name} forgotten",
    "conversation.forget": "had {after.messages} messages of {name} forgotten by their age",
    "environment.adopt": "took {name} over into environments.yml",
    "environment.create": "defined the environment {name}",
    "environment.promote": "promoted {after.model} to {name}, from {before.model}",
    "environment.restore": "brought the environment {name} back",
    "environment.resume": "decided after the restore that {name} serves {after.model}",
    "environment.retire": "retired the environment {name}",
    "environment.rollback": "rolled {name} back to {after.model}, from {before.model}",
    "environment.rotate_token": "rotated the service token of {name}",
    "environment.update": "changed the environment {name}",
    "evaluation.delete": "took evaluation {name} of {before.model} away",
    "example.mark": "marked an example of {name} in a conversation",
    "example.unmark": "let go of a marked example of {name}",
    "guest_link.put": "opened or changed the guest link to {name}",
    "installation.move": "moved the installation to another database",
    "installation.restore": "restored the installation from the backup of {after.backup_of}",
    "job.cancel": "cancelled job {name}",
    "job.remove_log": "took the log of job {name} away",
    "job.submit": "started job {name}",
    "keys.lost": "gave up the earlier installation key, and what only it could open",
    "keys.make": "made the key that signs tokens of /api/auth",
    "keys.rotate": "rotated the keys that seal secrets",
    "model.damage": "found the stored archive of {name} damaged",
    "model.delete": "deleted the model {name}",
    "model.heal": "mended the stored archive of {name}",
    "model.register": "added the model {name}",
    "model.restore": "brought the deleted model {name} back",
    "pipeline.cancel": "cancelled run {after.run} of the pipeline {name}",
    "pipeline.create": "declared the pipeline {name}",
    "pipeline.delete": "removed the pipeline {name}",
    "pipeline.push_secret": "made a new secret for the pushes to the pipeline {name}",
    "pipeline.restore": "declared the removed pipeline {name} again",
    "pipeline.run": "started the pipeline {name}",
    "pipeline.update": "changed the pipeline {name}",
    "project.create": "made the project {name}",
    "promotion.reason": "said why of promotion {name}",
    "replica.restart": "restarted the container {name}",
    "replica.retry": "had replica {name} try its model again",
    "repository.create": "defined the repository {name}",
    "repository.delete": "removed the repository {name}",
    "repository.update": "changed the repository {name}",
    "retention.change": "changed what is kept of {name}",
    "role.create": "made the role {name}",
    "role.delete": "deleted the role {name}",
    "role.update": "changed the role {name}",
    "session.end": "signed {name} out",
    "session.refused": "refused a sign-in as {name}",
    "session.start": "signed in",
    "tag.put": "put the tag {name} on {after.model}, from {before.model}",
    "tag.remove": "took the tag {name} from {before.model}",
    "token.create": "made the API token {after.name} ({name}…)",
    "token.issue": "issued a sign-in token to {name}",
    "token.revoke": "revoked the API token {before.name} ({name}…)",
    "user.activate": "activated the account {name}",
    "user.create": "made the account {name}",
    "user.deactivate": "deactivated the account {name}",
    "user.invite": "invited {name}",
    "user.locked": "locked the sign-in of {name}: too many wrong passwords",
    "user.password": "set the password of {name}",
    "user.password_refused": "refused a wrong old password of {name}",
    "user.rename": "renamed the account {name}",
    "user.reset": "reset the password of {name}",
    "user.roles": "changed the roles of {name}: {after.roles}, from {before.roles}",
    "user.unlock": "unlocked the sign-in of {name}",
    "webhook.create": "set up the webhook {name}",
    "webhook.redeliver": "had {after.event} sent again to the webhook {name}",
    "webhook.remove": "removed the webhook {name}",
    "webhook.renew_secret": "made a new secret for the webhook {name}",
    "webhook.test": "sent a test to the webhook {name}",
    "webhook.update": "changed the webhook {name}",
}
UNKNOWN = "did {action} to {object}"

# Of `environment.promote` where no model came, and of those that tell where nothing was before.
EMPTIED = "left {name} without a model, from {before.model}"
NOTHING_BEFORE = re.compile(r", from \{before\.(\w+)\}$")

_PLACE = re.compile(r"\{([\w.]+)\}")


@dataclass(frozen=True)
class Part:
    """A piece of a sentence. `kind` and `name` say what it names, so that it can be a link; both empty for words."""

    text: str
    kind: str = ""
    name: str = ""


def sentence(event: AuditEvent) -> list[Part]:
    """What was done, without who did it."""
    form = SENTENCES.get(event.action, UNKNOWN)
    if event.action == "environment.promote" and not _member(event.after, "model"):
        form = EMPTIED
    origin = NOTHING_BEFORE.search(form)
    if origin and not _member(event.before, origin[1]):
        form = form[: origin.start()]
    return list(_parts(event, form))


def _member(changed: Any, name: str) -> Any:
    return changed.get(name) if isinstance(changed, dict) else None


def _parts(event: AuditEvent, form: str) -> Iterator[Part]:
    for number, piece in enumerate(_PLACE.split(form)):
        if number % 2:
            yield _place(event, piece)
        elif piece:
            yield Part(piece)


def _place(event: AuditEvent, place: str) -> Part:
    kind, _, name = event.object.partition(":")
    if place == "name":
        return Part(name or event.object, kind, name)
    if place in ("action", "object"):
        return Part(str(getattr(event, place)), "other", "")
    side, _, member = place.partition(".")
    value = _member(getattr(event, side), member)
    if not value:
        return Part("no model" if member == "model" else "nothing")
    return Part(_words(value), member, str(value))


def _words(value: Any) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)
