"""Every action that changes rows records an event, in the transaction of the change."""

import ast

import pytest
from django.db import transaction

from accounts.models import AuditEvent
from controlplane.settings import BASE_DIR
from environments.actions import promotions
from environments.models import Promotion

WRITES = {"create", "update", "delete", "save", "bulk_create", "bulk_update", "get_or_create", "update_or_create"}
WRITES |= {"add", "remove", "set", "create_user"}
RECORDS = {"record"}

# Actions that leave no event, each with the reason.
UNAUDITED = {
    "accounts.audit.record": "it is the record",
    "accounts.audit_links.seal": "the chain over the events",
    "accounts.keys.tidy": "ends what keys.rotate told of",
    "accounts.lockouts.forget": "environments.lockouts records user.unlock",
    "accounts.lockouts.succeeded": "a count",
    "accounts.lockouts.tidy": "counts that count no more",
    "accounts.passwords.take": "environments.users records user.reset",
    "accounts.sessions.end_all": "part of what its callers record",
    "accounts.sessions.tidy": "those whose time is over",
    "environments.api_tokens.create": "accounts.api_tokens records token.create",
    "environments.alerts.take_in": "what servers show, told by notifications",
    "environments.alerts.tidy": "those whose time is over",
    "environments.conversations.put_off": "when something is read",
    "environments.conversations.record": "what was said, which changes nothing",
    "environments.conversations.understood": "what a bot made of what was said",
    "environments.deliveries.drop": "part of what its callers record",
    "environments.deliveries.record": "what became of what notifications told",
    "environments.deliveries.take": "progress of what notifications told",
    "environments.deliveries.tidy": "those whose time is over",
    "environments.environment_rows.free_color": "adds to a set, not to a table",
    "environments.environment_rows.renumber": "part of what its callers record",
    "environments.environments.define": "environment_rows records environment.create and .restore",
    "environments.environments.put_list": "environment_rows records each environment that it changes",
    "environments.freezes.freeze_all": "restores.take_over records installation.restore",
    "environments.instances.note": "which processes are alive",
    "environments.job_logs.append": "what a job prints",
    "environments.evaluations.fetched": "progress of what job.submit told of",
    "environments.evaluations.submit": "jobs.enqueue records job.submit",
    "environments.evaluations.submit_again": "jobs.enqueue records job.submit",
    "environments.evaluations.succeed": "progress of what job.submit told of",
    "environments.jobs.crash": "progress of what job.submit told of",
    "environments.jobs.end_cancelled": "what job.cancel told of",
    "environments.jobs.look_for_lost": "progress of what job.submit told of",
    "environments.jobs.note": "progress of what job.submit told of",
    "environments.jobs.renew": "progress of what job.submit told of",
    "environments.jobs.stop": "progress of what job.submit told of",
    "environments.jobs.succeed": "the model that came of it is recorded as model.register",
    "environments.notifications.tell": "says in other words what happened",
    "environments.notifications.tell_all": "says in other words what happened",
    "environments.jobs.succeed_if_running": "progress of what job.submit told of",
    "environments.pipeline_checks.succeed": "progress of what pipeline.run told of",
    "environments.pipeline_configs.read": "makes a set of paths",
    "environments.pipeline_runs.begin": "progress of what pipeline.run told of",
    "environments.pipeline_runs.end": "progress of what pipeline.run told of",
    "environments.pipeline_runs.stop": "progress of what pipeline.run told of",
    "environments.pipeline_schedules.start_due": "pipeline_runs records pipeline.run",
    "environments.promotions.settle": "what servers proved of what environment.promote told of",
    "environments.queue.claim": "progress of what job.submit told of",
    "environments.queue.send": "progress of what job.submit told of",
    "environments.queue.send_lost": "progress of what job.submit told of",
    "environments.queue.wake": "progress of what job.submit told of",
    "environments.retention.apply": "trained_models and bundles record each deletion",
    "environments.slots.claim": "the clock of periodic steps",
    "environments.slots.lock": "a lock, not a record",
    "environments.users.end_credentials": "part of what its callers record",
}


class Module:
    """The functions of one module of actions, and what they call."""

    def __init__(self, path):
        tree = ast.parse(path.read_text())
        self.calls = {
            function.name: {
                call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
                for call in ast.walk(function)
                if isinstance(call, ast.Call)
            }
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef)
        }

    def reached(self, name, seen=()):
        """All that is called by the function, through functions of the same module too."""
        found = set(self.calls[name])
        for inner in self.calls[name] & self.calls.keys() - {name, *seen}:
            found |= self.reached(inner, (*seen, name))
        return found


def unaudited():
    for part in ("accounts", "environments"):
        for path in sorted((BASE_DIR / part / "actions").glob("*.py")):
            module = Module(path)
            for name in module.calls:
                called = module.reached(name)
                if not name.startswith("_") and called & WRITES and not called & RECORDS:
                    yield f"{part}.{path.stem}.{name}"


def test_every_action_that_changes_rows_records_an_event_or_says_why_not():
    assert set(unaudited()) == set(UNAUDITED)


@pytest.mark.django_db
def test_a_change_that_is_taken_back_leaves_no_event(production, otter, by_ana):
    events = AuditEvent.objects.count()
    with transaction.atomic():
        promotions.promote(environment=production, model=otter, by=by_ana)
        assert AuditEvent.objects.count() == events + 1
        transaction.set_rollback(True)
    assert AuditEvent.objects.count() == events
    assert not Promotion.objects.exists()
