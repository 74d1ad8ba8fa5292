"""The routes of Rasa X, and the short forms for endpoints.yml."""

from django.urls import URLPattern, path
from django.views import View

from environments.api.rasa_x.environments import EnvironmentList
from environments.api.rasa_x.installation import ConfigView, HealthView, VersionView
from environments.api.rasa_x.models import ModelsView, ModelView, PlatformModelsView
from environments.api.rasa_x.pulls import TagView
from environments.api.rasa_x.tags import ModelTagView
from environments.api.rasa_x.training import TrainingView


def in_project(route: str, view: type[View]) -> list[URLPattern]:
    """Most clients name the project; those of Enterprise ≥ 1.0 mean `default`."""
    return [path(f"api/projects/<str:project>/{route}", view.as_view()), path(f"api/{route}", view.as_view())]


urlpatterns = [
    # What Rasa servers poll.
    *in_project("models/tags/<str:tag>", TagView),
    path("models/<str:project>@<str:tag>", TagView.as_view()),
    path("models/<str:project>", TagView.as_view()),
    # Rasa Platform.
    *in_project("models/nlu", PlatformModelsView),
    *in_project("models/nlu/<str:model>/tags/<str:tag>", ModelTagView),
    *in_project("models/jobs", TrainingView),
    # Models; no model can be named like a route.
    *in_project("models", ModelsView),
    *in_project("models/<str:model>", ModelView),
    *in_project("models/<str:model>/tags/<str:tag>", ModelTagView),
    path("api/environments", EnvironmentList.as_view()),
    # The installation.
    path("api/health", HealthView.as_view()),
    path("api/version", VersionView.as_view()),
    path("api/config", ConfigView.as_view()),
]
