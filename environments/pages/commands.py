"""Every action shows how a script would do it."""

import json
import shlex
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest

from accounts.models.project import DEFAULT
from environments.pages.access import PageRequest


def public_url(request: HttpRequest) -> str:
    """The address under which this browser reaches the control plane, without a final slash."""
    return request.build_absolute_uri("/").rstrip("/")


def api(request: PageRequest, route: str, **query: Any) -> str:
    """The address of a route of `/api/v1/` in the project of the page."""
    own = {} if request.project.name == DEFAULT else {"project": request.project.name}
    asked = urlencode({**query, **own})
    return f"{public_url(request)}/api/v1/{route}" + (f"?{asked}" if asked else "")


def manage(request: PageRequest, *words: str) -> str:
    """The same by a command, in the project of the page."""
    own = () if request.project.name == DEFAULT else ("--project", request.project.name)
    return shlex.join(["manage.py", *words, *own])


def curl(method: str, url: str, body: Any = None, *, file: str = "") -> str:
    """The equivalent request; the token is a variable, never the real one."""
    lines = [f"curl -X {method} {shlex.quote(url)}", '-H "Authorization: Bearer $CONTROLPLANE_TOKEN"']
    if body is not None:
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(json.dumps(body))}"]
    if file:
        lines.append(f"-F {shlex.quote(file)}")
    return " \\\n  ".join(lines)
