"""The routes of Rasa X, and the short forms for endpoints.yml."""

from django.urls import path

from environments.api.rasa_x.environments import EnvironmentList
from environments.api.rasa_x.installation import ConfigView, HealthView, VersionView
from environments.api.rasa_x.models import ModelsView, ModelView, PlatformModelsView
from environments.api.rasa_x.pulls import ROUTES
from environments.api.rasa_x.routes import in_project
from environments.api.rasa_x.tags import ModelTagView
from environments.api.rasa_x.training import TrainingView

urlpatterns = [
    # What Rasa servers poll.
    *ROUTES,
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
