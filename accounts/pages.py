"""Sign in and out, set a password by a one-time link, and the choice of light or dark."""

from typing import Any

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.password_validation import password_validators_help_texts
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import links, sign_in
from accounts.actions import passwords, sessions
from accounts.actor import PAGE, Actor
from accounts.authentication import peer_address
from accounts.models import User
from accounts.problems import Busy, InvalidFields, LinkSpent, Problem, SignInLocked

THEMES = ("light", "dark")
A_YEAR = 365 * 24 * 3600


class SignInForm(AuthenticationForm):
    error_messages = {
        "invalid_login": "This user name and password do not belong together. The password minds capital letters.",
        "inactive": "This account is deactivated. Ask an administrator.",
    }


class SignIn(LoginView):
    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().post(request, *args, **kwargs)
        except (SignInLocked, Busy) as refused:
            return self._refused(refused)

    def form_valid(self, form: Any) -> HttpResponse:
        sign_in.begin(self.request, form.get_user())
        return HttpResponseRedirect(self.get_success_url())

    def _refused(self, problem: Problem) -> HttpResponse:
        """The form again, empty but for the name, with the sentence."""
        form = SignInForm(self.request, initial={"username": self.request.POST.get("username", "")})
        context = self.get_context_data(form=form, refused=problem.detail)
        response = render(self.request, self.template_name, context, status=problem.status)
        response["Retry-After"] = problem.headers["Retry-After"]
        return response


class SignOut(LogoutView):
    next_page = "sign-in"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            by = Actor(user=request.user, via=PAGE, address=peer_address(request))
            sessions.end(sessions=sign_in.session_of(request), by=by)
        return super().post(request, *args, **kwargs)


# What stands in the address in place of a link's token, which waits in a cookie of that address alone.
TAKEN = "choose"
LINK_COOKIE = "link"
AN_HOUR = 3600


@sensitive_post_parameters("new", "again")
@require_http_methods(["GET", "HEAD", "POST"])
def one_time_link(request: HttpRequest, kind: str, user: int, token: str) -> HttpResponse:
    """An invitation or a reset: sets a password, signs in. The token leaves the address at once, and is no referrer."""
    found = User.objects.filter(pk=user).first()
    secret = request.COOKIES.get(LINK_COOKIE, "") if token == TAKEN else token
    if found is None or not links.opens(found, secret):
        raise LinkSpent()
    return _choose(request, kind, found, secret) if token == TAKEN else _take_link(kind, found, secret)


def _take_link(kind: str, user: User, secret: str) -> HttpResponse:
    """Not into the session: whoever read the database could use the link."""
    response = redirect(kind, user.pk, TAKEN)
    # Not on the page with the form: browsers would send `Origin: null` with it, which the CSRF check refuses.
    response.headers["Referrer-Policy"] = "no-referrer"
    response.set_cookie(
        LINK_COOKIE,
        secret,
        max_age=AN_HOUR,
        path=response.url,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
    return response


def _choose(request: HttpRequest, kind: str, user: User, secret: str) -> HttpResponse:
    errors: dict[str, list[str]] = {}
    if request.method == "POST":
        try:
            new = twice(request)
            address = peer_address(request)
            user = passwords.choose(user=user, token=secret, new=new, via=PAGE, address=address)
        except InvalidFields as refused:
            errors = refused.errors or {}
        else:
            sign_in.begin(request, user)
            response = redirect(settings.LOGIN_REDIRECT_URL)
            response.delete_cookie(LINK_COOKIE, path=request.path, samesite="Lax")
            return response
    context = {"user_name": user.username, "kind": kind, "errors": errors, "rules": password_validators_help_texts()}
    return render(request, "accounts/choose_password.html", context, status=400 if errors else 200)


def twice(request: HttpRequest) -> str:
    """The new password of a form that asks for it twice."""
    new = request.POST.get("new", "")
    if new != request.POST.get("again", ""):
        cure = "The two are not the same. Type the new password again."
        raise InvalidFields(f"again: {cure}", errors={"again": [cure]})
    return new


def _way_back(request: HttpRequest) -> str:
    """The page the form was on, if it is one of ours."""
    address = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if safe else "/"


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the chosen theme in a cookie; anything else than light or dark means the system's."""
    response = HttpResponseRedirect(_way_back(request))
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        response.set_cookie("theme", chosen, max_age=A_YEAR, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE)
    else:
        response.delete_cookie("theme", samesite="Lax")
    return response
