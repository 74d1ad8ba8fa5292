"""Where each route lives. The Rasa X family, the native family and the pages are apart."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

urlpatterns = [
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("api/v1/", include("environments.api.v1.urls")),
    path("", include("environments.api.rasa_x.urls")),
    path("", include("environments.pages.urls")),
]
