"""Sign in, sign out, light or dark."""

from django.urls import path

from accounts import pages

urlpatterns = [
    path("sign-in/", pages.SignIn.as_view(), name="sign-in"),
    path("sign-out/", pages.SignOut.as_view(), name="sign-out"),
    path("theme/", pages.theme, name="theme"),
]
