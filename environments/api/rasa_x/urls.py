"""The routes of Rasa X, and the short forms for endpoints.yml."""

from django.urls import path

from environments.api.rasa_x.environments import EnvironmentList
from environments.api.rasa_x.pulls import TagView

urlpatterns = [
    path("api/environments", EnvironmentList.as_view()),
    # What Rasa servers poll.
    path("api/projects/<project>/models/tags/<tag>", TagView.as_view()),
    path("api/models/tags/<tag>", TagView.as_view()),
    path("models/<project>@<tag>", TagView.as_view()),
    path("models/<project>", TagView.as_view()),
]
