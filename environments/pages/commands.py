"""Every action shows how a script would do it."""

import json
import shlex
from typing import Any

from django.http import HttpRequest


def public_url(request: HttpRequest) -> str:
    """The address under which this browser reaches the control plane, without a final slash."""
    return request.build_absolute_uri("/").rstrip("/")


def curl(method: str, url: str, body: Any = None, *, file: str = "") -> str:
    """The equivalent request; the token is a variable, never the real one."""
    lines = [f"curl -X {method} {shlex.quote(url)}", '-H "Authorization: Bearer $CONTROLPLANE_TOKEN"']
    if body is not None:
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(json.dumps(body))}"]
    if file:
        lines.append(f"-F {shlex.quote(file)}")
    return " \\\n  ".join(lines)
