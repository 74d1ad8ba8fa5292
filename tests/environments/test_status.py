"""`manage.py status`: what is where, for people and for machines."""

import json

from django.core.management import call_command

from environments.actions import promotions


def status(capsys, *args):
    call_command("status", *args)
    return capsys.readouterr().out


def test_it_shows_each_environment_with_its_model(production, worker, otter, by_ana, capsys):
    promotions.promote(environment=production, model=otter, by=by_ana)
    lines = status(capsys).splitlines()
    assert lines[1].split()[:4] == ["production", "brisk-otter", "unknown", "unknown"]
    assert "by ana" in lines[1]
    assert any(line.startswith("worker") for line in lines)


def test_machines_get_json(production, otter, by_ana, capsys):
    promotions.promote(environment=production, model=otter, by=by_ana)
    (found,) = json.loads(status(capsys, "--json"))
    assert (found["name"], found["model"], found["sync"], found["replicas"]) == (
        "production",
        "brisk-otter",
        "unknown",
        [],
    )


def test_without_environments_it_says_what_to_do(db, capsys):
    assert "sync_environments" in status(capsys)
