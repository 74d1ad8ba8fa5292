"""What each problem's `type` leads to: what it means and the cure. Open to all: it tells nothing of anybody's data."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.problems import NotFound, known


def explain(request: HttpRequest, code: str) -> HttpResponse:
    problem = next((problem for problem in known() if problem.code == code), None)
    if problem is None:
        raise NotFound(f"There is no problem {code}.")
    detail = f"{problem.meaning()} {problem.cure}".replace("`", "")
    return render(
        request, "problem.html", {"problem": {"status": problem.status, "title": problem.title, "detail": detail}}
    )
