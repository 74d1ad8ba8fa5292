"""Where each route lives. The Rasa X family, the native family and the pages are apart."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
