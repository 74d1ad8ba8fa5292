"""The map of the site."""

from django.urls import include, path

from controlplane import health

handler404 = "controlplane.errors.not_found"
handler500 = "controlplane.errors.server_error"
handler403 = "controlplane.errors.forbidden"
handler400 = "controlplane.errors.bad_request"

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("", include("accounts.urls")),
    path("", include("environments.urls")),
]
