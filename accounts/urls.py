"""Sign in, sign out, set a password by a link, light or dark."""

from django.urls import path

from accounts import links, pages

urlpatterns = [
    path("sign-in/", pages.SignIn.as_view(), name="sign-in"),
    path("sign-out/", pages.SignOut.as_view(), name="sign-out"),
    path("invitation/<int:user>/<str:token>/", pages.one_time_link, {"kind": links.INVITATION}, name=links.INVITATION),
    path("reset/<int:user>/<str:token>/", pages.one_time_link, {"kind": links.RESET}, name=links.RESET),
    path("theme/", pages.theme, name="theme"),
]
