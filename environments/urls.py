"""Where each route lives. The Rasa X family, the native family and the pages are apart."""

from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("environments.api.v1.urls")),
    path("", include("environments.api.rasa_x.urls")),
    path("", include("environments.pages.urls")),
]
