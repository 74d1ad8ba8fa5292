"""What somebody with access to the database did to the audit trail is found, and nothing else is.

Each tampering puts the triggers back, so that nothing but the chain tells of it.
"""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts import audit_chain
from accounts.actions import audit, audit_links
from accounts.actor import COMMAND, system
from accounts.audit_chain import Head
from accounts.models import AuditEvent, AuditLink
from accounts.verification import Verification
from tests import tampering

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def record(**members):
    known = {"by": system(COMMAND), "action": "model.register", "object": "model:calm-heron", "project": None}
    return audit.record(**(known | members))


def insert(at, **members):
    """An event of another time, as somebody puts it beside the product."""
    event = AuditEvent(actor="cy", action="x.y", object="y", via="page", **members)
    event.save(force_insert=True)
    with tampering.unprotected():
        AuditEvent.objects.filter(pk=event.pk).update(at=at)
    return event


@pytest.fixture
def events():
    made = [record(after={"number": number}) for number in range(6)]
    audit_links.seal()
    return made


def findings(kept=None):
    return list(Verification(kept).findings())


def head():
    verification = Verification()
    assert list(verification.findings()) == []
    return verification.head


def seal_anew(since=1):
    """What somebody does who knows how the chain is made."""
    with tampering.unprotected():
        AuditLink.objects.filter(position__gte=since)._raw_delete("default")
    audit_links.seal()


def test_an_untouched_trail_is_in_order(events):
    assert head() == Head(6, AuditLink.objects.get(position=6).hash)
    record()
    assert findings() == []


def test_an_empty_trail_is_in_order_and_any_trail_goes_on_from_it():
    assert head() == Head(0, audit_chain.FIRST)
    record()
    audit_links.seal()
    assert findings(Head(0, audit_chain.FIRST)) == []


def test_a_kept_head_stays_right_while_the_chain_grows(events):
    kept = head()
    record()
    audit_links.seal()
    assert findings(kept) == []
    assert head().position == 7


@pytest.mark.parametrize(
    "change", [{"actor": "cy"}, {"after": {"number": 7}}, {"object": "model:x"}, {"address": "10.0.0.1"}, {"before": 0}]
)
def test_a_changed_event_is_found(events, change):
    with tampering.unprotected():
        AuditEvent.objects.filter(pk=events[2].pk).update(**change)
    [found] = findings()
    assert found.startswith(f"Event {events[2].pk} is not what was sealed at position 3")


def test_each_of_several_changed_events_is_found(events):
    with tampering.unprotected():
        AuditEvent.objects.filter(pk__in=[events[2].pk, events[3].pk, events[5].pk]).update(actor="cy")
    assert [found.split()[1] for found in findings()] == [str(events[number].pk) for number in (2, 3, 5)]


def test_a_removed_event_is_found(events):
    with tampering.unprotected():
        AuditEvent.objects.filter(pk=events[2].pk)._raw_delete("default")
    assert findings() == [f"Event {events[2].pk}, sealed at position 3, is gone."]


def test_an_event_removed_with_its_link_is_found(events):
    with tampering.unprotected():
        AuditLink.objects.filter(position=3)._raw_delete("default")
        AuditEvent.objects.filter(pk=events[2].pk)._raw_delete("default")
    assert findings() == ["The links from position 3 to 3 are gone."]


def test_an_event_removed_from_a_chain_whose_positions_were_closed_is_found(events):
    with tampering.unprotected():
        AuditEvent.objects.filter(pk=events[2].pk)._raw_delete("default")
        AuditLink.objects.filter(position=3)._raw_delete("default")
        for position in (4, 5, 6):
            AuditLink.objects.filter(position=position).update(position=position - 1)
    [found] = findings()
    assert found.startswith(f"Event {events[3].pk} is not what was sealed at position 3")


def test_a_changed_link_is_told_from_a_changed_event(events):
    with tampering.unprotected():
        AuditLink.objects.filter(position=3).update(hash="0" * 64)
    assert findings() == [f"The link at position 3 was changed; its event {events[2].pk} was not."]


def test_a_changed_time_of_sealing_is_found(events, django_now):
    with tampering.unprotected():
        AuditLink.objects.filter(position=3).update(sealed_at=django_now + HOUR)
    assert len(findings()) == 1


def test_the_last_event_is_no_exception(events):
    with tampering.unprotected():
        AuditEvent.objects.filter(pk=events[5].pk).update(actor="cy")
    [found] = findings()
    assert f"Event {events[5].pk} " in found


def test_an_event_inserted_among_sealed_ones_is_found_before_and_after_it_is_sealed(events, django_now):
    inserted = insert(django_now - HOUR)
    assert [f"Event {inserted.pk} is not sealed" in found for found in findings()] == [True]
    audit_links.seal()
    assert [f"Event {inserted.pk} (position 7)" in found for found in findings()] == [True]


def test_an_event_inserted_far_back_is_never_sealed_and_found(events, django_now, monkeypatch):
    monkeypatch.setattr(audit_links, "LATE", 3)
    inserted = insert(django_now - HOUR, pk=events[0].pk - 1)
    assert audit_links.seal() == 0
    [found] = findings()
    assert f"Event {inserted.pk} is not sealed" in found


def test_an_event_that_a_long_transaction_committed_late_is_no_finding(events, django_now):
    insert(django_now - timedelta(minutes=10))
    assert findings() == []
    audit_links.seal()
    assert findings() == []


def test_sealing_after_a_long_time_without_it_is_no_finding(django_now):
    for hours in (5, 4, 3):
        insert(django_now - hours * HOUR)
    audit_links.seal()
    record()
    audit_links.seal()
    assert findings() == []


def test_who_keeps_the_head_after_a_wrong_clock_is_told_no_more(events, django_now):
    insert(django_now + HOUR)
    audit_links.seal()
    record()
    audit_links.seal()
    assert len(findings()) == 1
    last = AuditLink.objects.order_by("-position")[0]
    kept = Head(last.position, last.hash)
    assert findings(kept) == []
    record()
    audit_links.seal()
    assert findings(kept) == []
    insert(django_now - HOUR)
    audit_links.seal()
    assert len(findings(kept)) == 1


def test_with_a_kept_head_a_tail_that_was_cut_off_is_found(events):
    kept = head()
    with tampering.unprotected():
        AuditLink.objects.filter(position__gt=4)._raw_delete("default")
        AuditEvent.objects.filter(pk__gte=events[4].pk)._raw_delete("default")
    assert findings() == []
    [found] = findings(kept)
    assert found.startswith("The chain ends at position 4, before the kept head at 6")


def test_with_a_kept_head_a_chain_that_was_written_anew_is_found(events):
    kept = head()
    with tampering.unprotected():
        AuditEvent.objects.filter(pk=events[1].pk).update(actor="cy")
    seal_anew()
    assert findings() == []
    assert findings(kept) == ["Position 6 has another hash than the kept head: the chain was written anew."]


def test_with_a_kept_head_a_tail_that_was_replaced_is_found(events):
    kept = head()
    with tampering.unprotected():
        AuditLink.objects.filter(position__gt=4)._raw_delete("default")
        AuditEvent.objects.filter(pk__gte=events[4].pk)._raw_delete("default")
    record()
    record()
    record()
    audit_links.seal()
    assert findings() == []
    assert len(findings(kept)) == 1


def test_chunks_end_nowhere(events, monkeypatch):
    monkeypatch.setattr("accounts.verification.CHUNK", 2)
    assert findings() == []
    with tampering.unprotected():
        AuditEvent.objects.filter(pk=events[2].pk).update(actor="cy")
    assert len(findings()) == 1


def test_the_number_of_queries_is_that_of_the_chunks(events, django_assert_num_queries):
    with django_assert_num_queries(4):
        findings()


# manage.py verify_audit


class Terminal(StringIO):
    def isatty(self):
        return True


def verify(*arguments, err=None):
    out, err = StringIO(), err or StringIO()
    try:
        call_command("verify_audit", *arguments, stdout=out, stderr=err, no_color=True)
        status = 0
    except SystemExit as ended:
        status = ended.code
    return status, out.getvalue(), err.getvalue()


def test_the_command_prints_the_head_alone_and_takes_it_again(events):
    status, out, err = verify()
    assert (status, err) == (0, "")
    assert out == f"6:{AuditLink.objects.get(position=6).hash}\n"
    record()
    audit_links.seal()
    assert verify("--head", out)[0] == 0


def test_the_command_says_what_is_wrong_and_exits_with_1(events):
    kept = verify()[1]
    with tampering.unprotected():
        AuditEvent.objects.filter(pk=events[0].pk).update(actor="cy")
    status, out, err = verify("--head", kept)
    assert (status, out) == (1, "")
    assert err.startswith(f"Event {events[0].pk} is not what was sealed")
    assert f"Keep the head {kept.strip()} only when each finding is explained." in err


def test_the_command_does_not_tell_a_million_findings(events, monkeypatch):
    monkeypatch.setattr("accounts.management.commands.verify_audit.TOLD", 2)
    with tampering.unprotected():
        AuditEvent.objects.update(actor="cy")
    _, _, err = verify()
    assert err.count("is not what was sealed") == 2
    assert "… and 4 more findings." in err


@pytest.mark.parametrize("bad", ["", "6", "6:abc", "x:" + "0" * 64, "-1:" + "0" * 64, "6:" + "g" * 64])
def test_the_command_says_how_a_head_looks(bad):
    with pytest.raises(CommandError, match="a head is what an earlier verify_audit printed: POSITION:HASH"):
        call_command("verify_audit", f"--head={bad}")


def test_on_a_terminal_it_says_how_far_it_is(events):
    assert "6 of 6 events" in verify(err=Terminal())[2]
