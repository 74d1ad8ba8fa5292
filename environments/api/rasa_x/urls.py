"""The routes of Rasa X, and the short forms for endpoints.yml."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
