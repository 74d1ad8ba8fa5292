"""The site, and beside it a view that does nothing, to compare with."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from controlplane.urls import handler400, handler403, handler404, handler500
from controlplane.urls import urlpatterns as site

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


def empty(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=304)


urlpatterns = [path("bench/empty", empty), *site]
