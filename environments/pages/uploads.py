"""Upload a model by hand. With the script the page posts to the API and shows progress; without it, to itself."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.middleware.csrf import CsrfViewMiddleware, get_token
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt

from accounts import problems
from accounts.problems import Problem
from environments import names, permissions, receiving
from environments.api import uploads
from environments.pages.access import PageRequest, page
from environments.pages.commands import curl, public_url

FIELD = "model"


class FieldCsrf(CsrfViewMiddleware):
    """CSRF from a form field that stands before the file: Django's own check would read the whole upload first."""

    def _reject(self, request: HttpRequest, reason: str) -> Any:
        raise problems.CsrfFailed("The page was too old. Reload it and upload again.")


def check_csrf(request: HttpRequest, fields: dict[str, list[str]]) -> None:
    """Refuse an upload whose fields hold no valid token; the rest of the body is still unread."""
    posted = QueryDict(mutable=True)
    posted["csrfmiddlewaretoken"] = "".join(fields.get("csrfmiddlewaretoken", []))
    check = FieldCsrf(lambda _: HttpResponse())
    check.process_request(request)
    request._post, request._files = posted, {}  # type: ignore[attr-defined]
    check.process_view(request, lambda *_: HttpResponse(), (), {})


def _receive(request: PageRequest) -> receiving.Received:
    permissions.check_can_write_models(request.actor, request.project)
    with uploads.receive(request, field=FIELD, max_bytes=settings.MAX_MODEL_BYTES) as sent:
        check_csrf(request, sent.fields)
        if not sent.filename.endswith(names.ARCHIVE_SUFFIX):
            raise problems.InvalidFields("Choose an archive whose name ends in .tar.gz, as rasa train makes it.")
        name = sent.filename.removesuffix(names.ARCHIVE_SUFFIX)
        return receiving.receive_model(project=request.project, name=name, stream=sent, by=request.actor)


@csrf_exempt  # by `check_csrf`, as soon as the field was read
@page
def upload(request: PageRequest) -> HttpResponse:
    request.section = "models"
    problem: Problem | None = None
    if request.method == "POST":
        try:
            received = _receive(request)
        except (problems.MissingGrant, problems.NotFound, problems.CsrfFailed):
            raise
        except Problem as refused:
            problem = refused
        else:
            told = "is stored" if received.created else "was here already, the same bytes"
            messages.success(request, f"{received.model.name} {told}.")
            return redirect("model", project=request.project.name, model=received.model.name)
    permissions.check_can_write_models(request.actor, request.project)
    get_token(request)
    address = f"{public_url(request)}/api/projects/{request.project.name}/models"
    context = {
        "problem": problem,
        "field": FIELD,
        "limit": settings.MAX_MODEL_BYTES,
        "api": f"/api/projects/{request.project.name}/models",
        "curl": curl("POST", address, file=f"{FIELD}=@brisk-otter.tar.gz"),
    }
    return render(request, "models/upload.html", context, status=problem.status if problem else 200)
