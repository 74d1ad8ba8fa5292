"""How a notification is written for each kind of target: a signed JSON document, the text of an incoming webhook, a
mail. Pure; `docs/notifications.md` tells receivers how to verify the first."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

AGENT = "controlplane-webhooks/1"
LONGEST_SUBJECT, LONGEST_TEXT = 200, 3000

Payload = Mapping[str, Any]


@dataclass(frozen=True)
class Letter:
    """The body of a POST and its headers."""

    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Mail:
    """`message_id` is the same over retries, so that a mail that comes twice can be told."""

    subject: str
    text: str
    message_id: str


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over `timestamp.body`."""
    signed = str(timestamp).encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def signed(payload: Payload, secret: str, timestamp: int) -> Letter:
    """The document as it is stored, signed anew at each try. `timestamp` is in seconds since 1970."""
    body = _json(payload)
    headers = {
        "X-Controlplane-Event": payload["event"],
        "X-Controlplane-Delivery": payload["id"],
        "X-Controlplane-Timestamp": str(timestamp),
        "X-Controlplane-Signature": signature(secret, timestamp, body),
    }
    return Letter(body, _of_json(headers))


def slack(payload: Payload) -> Letter:
    """The text of an incoming webhook. What comes from outside is escaped: it makes no link and calls nobody."""
    subject, text = escaped(payload["subject"]), escaped(cut(payload["text"], LONGEST_TEXT))
    link = f"<{escaped(payload['url'])}|Look at it>"
    return Letter(_json({"text": f"*{subject}*\n{text}\n{link}"}), _of_json({}))


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mail(payload: Payload) -> Mail:
    """Everything is one line of the subject, or plain text: nothing of it becomes a header."""
    subject = cut(re.sub(r"\s+", " ", payload["subject"]).strip(), LONGEST_SUBJECT)
    about = f"Project {payload['project']}, event {payload['event']}."
    text = f"{payload['text']}\n\n{payload['url']}\n\n-- \n{about}\n"
    host = urlsplit(payload["url"]).hostname or "localhost"
    return Mail(f"[Control Plane] {subject}", text, f"<{payload['id']}@{host}>")


def cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _json(document: Payload) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _of_json(headers: dict[str, str]) -> dict[str, str]:
    return {"Content-Type": "application/json", "User-Agent": AGENT, **headers}
