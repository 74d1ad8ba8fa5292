"""How routes of Rasa X are spelled."""

from django.urls import URLPattern, path
from django.views import View


def in_project(route: str, view: type[View]) -> list[URLPattern]:
    """Most clients name the project; those of Enterprise ≥ 1.0 mean `default`."""
    return [path(f"api/projects/<str:project>/{route}", view.as_view()), path(f"api/{route}", view.as_view())]
