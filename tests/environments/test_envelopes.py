"""How notifications are written: nothing from outside becomes a link, a mention or a header."""

import hashlib
import hmac
import json

from environments import envelopes

PAYLOAD = {
    "id": "abc123",
    "event": "promotion.failed",
    "at": "2030-01-01T00:00:00+00:00",
    "project": "default",
    "environment": "production",
    "subject": "brisk-otter is stuck",
    "text": "replica-1: It downloaded brisk-otter 3 times.",
    "url": "https://control.example.com/p/default/promotions/7/",
    "data": {"promotion": "7"},
}


def test_a_signed_letter_is_the_document_with_its_signature():
    letter = envelopes.signed(PAYLOAD, "a-secret", 1_900_000_000)
    assert json.loads(letter.body) == PAYLOAD
    expected = hmac.new(b"a-secret", b"1900000000." + letter.body, hashlib.sha256).hexdigest()
    assert letter.headers == {
        "Content-Type": "application/json",
        "User-Agent": envelopes.AGENT,
        "X-Controlplane-Event": "promotion.failed",
        "X-Controlplane-Delivery": "abc123",
        "X-Controlplane-Timestamp": "1900000000",
        "X-Controlplane-Signature": f"sha256={expected}",
    }


def test_body_and_time_are_both_signed():
    first = envelopes.signature("s", 1, b"2.body")
    assert first != envelopes.signature("s", 12, b".body")
    assert first != envelopes.signature("s", 2, b"2.body")
    assert first != envelopes.signature("t", 1, b"2.body")


def test_an_incoming_webhook_gets_a_text_that_calls_nobody():
    evil = {**PAYLOAD, "subject": "<!channel> & <https://evil.example|click>", "text": "<@U123> 1 < 2"}
    [(key, text)] = json.loads(envelopes.slack(evil).body).items()
    assert key == "text"
    assert text == (
        "*&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt;*\n&lt;@U123&gt; 1 &lt; 2\n"
        "<https://control.example.com/p/default/promotions/7/|Look at it>"
    )


def test_a_text_without_end_is_cut():
    text = json.loads(envelopes.slack({**PAYLOAD, "text": "x" * 100_000}).body)["text"]
    assert len(text) < 3200


def test_nothing_of_a_mail_becomes_a_header():
    mail = envelopes.mail({**PAYLOAD, "subject": "stuck\r\nBcc: all@example.com\n\nand more" + "x" * 500})
    assert "\n" not in mail.subject
    assert "\r" not in mail.subject
    assert mail.subject.startswith("[Control Plane] stuck Bcc: all@example.com and more")
    assert len(mail.subject) < 230
    assert PAYLOAD["url"] in mail.text
    assert mail.message_id == "<abc123@control.example.com>"
