"""Where each route lives. The Rasa X family, the native family and the pages are apart."""

from django.urls import include, path
from drf_spectacular.views import SpectacularSwaggerSplitView

from environments.api.conversations import Messages, Tracker
from environments.api.document import DocumentView
from environments.api.metrics import Metrics
from environments.api.rasa_x.conversations import OneConversationView
from environments.pages.problems import explain

conversation = [
    path("messages", Messages.as_view()),
    path("tracker", Tracker.as_view()),
]

urlpatterns = [
    path("metrics", Metrics.as_view(), name="metrics"),
    path("api/schema/", DocumentView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema", url_self="/api/docs/"), name="docs"),
    path("api/v1/", include("environments.api.v1.urls")),
    path("", include("environments.api.rasa_x.urls")),
    path("api/projects/<str:project>/conversations/<path:conversation>/", include(conversation)),
    path("api/conversations/<path:conversation>/", include(conversation)),
    path("conversations/<path:conversation>/", include(conversation)),
    path("api/projects/<str:project>/conversations/<path:conversation>", OneConversationView.as_view()),
    path("api/conversations/<path:conversation>", OneConversationView.as_view()),
    path("problems/<str:code>", explain, name="problem"),
    path("", include("environments.pages.urls")),
]
