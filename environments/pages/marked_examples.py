"""Examples that were marked in conversations: marked, let go, taken away as training data."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.problems import InvalidFields, NotFound
from environments import examples, permissions
from environments.actions import marked_examples
from environments.api.scope import is_id
from environments.models import MarkedExample, Message
from environments.pages.access import PageRequest, page, page_before, why_not
from environments.pages.conversations import SECTION

SHOWN = 500


@page
def example_list(request: PageRequest) -> HttpResponse:
    request.section = SECTION
    permissions.check_can_read_conversations(request.actor, request.project)
    rows = MarkedExample.objects.visible_to(request.actor, request.project).select_related("message__environment")
    found = list(rows[: SHOWN + 1])
    context = {
        "marked": found[:SHOWN],
        "more": rows.count() - SHOWN if len(found) > SHOWN else 0,
        "why": why_not(permissions.check_can_edit_conversations, request.actor, request.project),
    }
    return render(request, "conversations/examples.html", context)


@page
def examples_yaml(request: PageRequest) -> HttpResponse:
    """All of them as a file of Rasa's training data."""
    permissions.check_can_read_conversations(request.actor, request.project)
    rows = MarkedExample.objects.visible_to(request.actor, request.project).values_list("intent", "text")
    document = examples.document(examples.Example(intent, text) for intent, text in rows)
    response = HttpResponse(document, content_type="application/yaml")
    response.headers["Content-Disposition"] = 'attachment; filename="nlu-from-conversations.yml"'
    return response


@require_POST
@page
def mark(request: PageRequest, message: str) -> HttpResponse:
    permissions.check_can_edit_conversations(request.actor, request.project)
    rows = Message.objects.visible_to(request.actor, request.project).select_related("project", "environment")
    found = rows.filter(pk=message).first() if is_id(message) else None
    if found is None:
        raise NotFound(f"There is no message {message}.")
    try:
        made = marked_examples.mark(message=found, intent=request.POST.get("intent", ""), by=request.actor)
        messages.success(request, f"Marked as an example of {made.intent}.")
    except InvalidFields as problem:
        messages.error(request, problem.detail)
    address = reverse("conversation", args=[request.project.name, found.environment.name])
    return redirect(f"{address}?{urlencode({'id': found.conversation})}#m{found.pk}")


@require_POST
@page
def unmark(request: PageRequest, example: str) -> HttpResponse:
    permissions.check_can_edit_conversations(request.actor, request.project)
    rows = MarkedExample.objects.visible_to(request.actor, request.project).select_related("project")
    found = rows.filter(pk=example).first() if is_id(example) else None
    if found is None:
        raise NotFound(f"There is no example {example}.")
    marked_examples.unmark(example=found, by=request.actor)
    return redirect(page_before(request, "marked-examples", request.project.name))
