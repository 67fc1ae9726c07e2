"""The login pages: one view, one domain call."""

from typing import Any

from django.contrib.auth import login as auth_login
from django.contrib.auth import logout as auth_logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST
from django_otp import login as otp_login

from portal.caller import SignedInRequest, caller
from portal.errors import Reason, Refused
from portal.models import User
from portal.sessions import open_for
from sls.access import PROVEN_AT
from sls.browsers import browser_in_words
from sls.catalog import Element
from sls.devices.forms import ResponseForm
from sls.devices.queries import answerable_grants
from sls.devices.rules import ProofRefusal
from sls.models import DeviceGrant, LoginAttempt, LoginPrompt, PromptState
from sls.prompts import operations as prompts

from . import operations, pending
from .forms import DeviceForm, PasswordForm
from .rules import LoginRefusal

BACKEND = "portal.backends.EntityBackend"
PAGES = {Element.CHALLENGE_CODE: "login_challenge", Element.INDEX_NUMBERS: "login_card"}


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    form = PasswordForm(request.POST or None)
    goal = pending.safe_next(request)
    if request.method == "GET" and request.user.is_authenticated:
        return redirect(goal or "home")
    if not form.is_valid():
        return _password_page(request, form, goal)
    try:
        begun = operations.begin(
            username=form.cleaned_data["username"],
            password=form.cleaned_data["password"],
            by=caller(request),
            now=timezone.now(),
            known_browser=pending.known_browser(request, form.cleaned_data["username"]),
        )
    except Refused as refused:
        return _password_page(request, form, goal, refused.reason)
    if begun.attempt is None:
        _enter(request, begun.user, None)
        return redirect(goal or "home")
    pending.stash(request, begun)
    if goal:
        request.session["next"] = goal
    return _to_device(begun.attempt, several=begun.has_choice, prompt=begun.prompt)


def _password_page(
    request: HttpRequest, form: PasswordForm, goal: str, refusal: Reason | None = None
) -> HttpResponse:
    return render(
        request, "sls/login/password.html", {"form": form, "next": goal, "refusal": refusal}
    )


def _to_device(
    attempt: LoginAttempt, *, several: bool = False, prompt: LoginPrompt | None = None
) -> HttpResponse:
    if several:
        return redirect("login_choose")
    if prompt is not None:
        return redirect("login_push")
    assert attempt.grant is not None
    return redirect(PAGES[attempt.grant.device.traits.element])


@login_required
@require_http_methods(["GET"])
def confirm(request: SignedInRequest) -> HttpResponse:
    """
    A logged-in user proves a device once more, or one he has got since. It draws a challenge, so a page of
    somebody else may not send him here.
    """
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return redirect("home")
    goal = pending.safe_next(request)
    begun = operations.confirm(request.user, by=caller(request), now=timezone.now())
    pending.stash(request, begun, keeps_session=True)
    request.session["next"] = goal
    assert begun.attempt is not None
    return _to_device(begun.attempt, several=begun.has_choice, prompt=begun.prompt)


@require_http_methods(["GET", "POST"])
def choose(request: HttpRequest) -> HttpResponse:
    attempt = pending.load(request)
    if attempt is None:
        return _over(request)
    grants = answerable_grants(attempt.user)
    form = DeviceForm(request.POST or None)
    form.offer(grants)
    refusal = None
    if request.method == "POST" and form.is_valid():
        try:
            prompt = operations.choose(
                attempt,
                grant_id=form.cleaned_data["grant"],
                by=caller(request),
                now=timezone.now(),
                known_browser=pending.known_browser(request, attempt.user.username),
            )
            return _to_device(attempt, prompt=prompt)
        except Refused as refused:
            refusal = refused.reason
    context = {"form": form, "grants": grants, "refusal": refusal}
    return render(request, "sls/login/choose.html", context)


@sensitive_post_parameters("response")
@require_http_methods(["GET", "POST"])
def respond(request: HttpRequest, element: Element) -> HttpResponse:
    """The device's own page: the challenge code or the index numbers, and one field."""
    attempt = pending.load(request)
    if attempt is None or attempt.grant is None or attempt.challenge is None:
        return _over(request)
    if attempt.grant.device.traits.element is not element:
        return _to_device(attempt)
    form = ResponseForm(request.POST or None, element=element)
    refusal: Reason | None = None
    if request.method == "POST" and form.is_valid():
        try:
            grant = operations.complete(
                attempt,
                response=form.cleaned_data["response"],
                by=caller(request),
                now=timezone.now(),
                known_browser=pending.known_browser(request, attempt.user.username),
            )
            return _arrive(request, attempt, grant)
        except Refused as refused:
            if refused.reason is LoginRefusal.LOGIN_OVER:
                return _over(request)
            refusal = refused.reason
            form = ResponseForm(element=element)
    if attempt.challenge.expires_at <= timezone.now():
        refusal = ProofRefusal.CHALLENGE_EXPIRED
    context = {
        "form": form,
        "grant": attempt.grant,
        "challenge": attempt.challenge,
        "element": element,
        "refusal": refusal,
        "is_dead": refusal not in (None, ProofRefusal.INVALID_RESPONSE),
    }
    return render(request, "sls/login/respond.html", context)


@require_http_methods(["GET", "POST"])
def push(request: HttpRequest) -> HttpResponse:
    """
    Waiting for the phone. The row says whether it has approved; an event only says "look again". Without
    JavaScript the page loads itself anew, and Continue goes on.
    """
    attempt = pending.load(request)
    if attempt is None:
        return _over(request)
    prompt = attempt.asked
    if prompt is None:
        return _to_device(attempt)
    refusal: Reason | None = None
    try:
        if request.method == "POST" and prompt.state == PromptState.APPROVED:
            grant = operations.complete_by_push(
                attempt,
                by=caller(request),
                now=timezone.now(),
                known_browser=pending.known_browser(request, attempt.user.username),
            )
            return _arrive(request, attempt, grant)
        if "again" in request.POST:
            prompts.resend(prompt, by=caller(request), now=timezone.now())
            return redirect("login_push")
        if "cancel" in request.POST:
            prompts.cancel(prompt, by=caller(request), now=timezone.now())
            return redirect("login_push")
    except Refused as refused:
        if refused.reason is LoginRefusal.LOGIN_OVER:
            return _over(request)
        refusal = refused.reason
    return render(request, "sls/login/push.html", _waiting(attempt, prompt, refusal))


def _waiting(
    attempt: LoginAttempt, prompt: LoginPrompt, refusal: Reason | None
) -> dict[str, Any]:
    is_over = prompt.state == PromptState.WAITING and prompt.expires_at <= timezone.now()
    return {
        "attempt": attempt,
        "prompt": prompt,
        "state": PromptState.EXPIRED if is_over else PromptState(prompt.state),
        "browser": browser_in_words(attempt.browser),
        "refusal": refusal,
    }


def _arrive(request: HttpRequest, attempt: LoginAttempt, grant: DeviceGrant) -> HttpResponse:
    goal = request.session.get("next") or "home"
    _enter(request, attempt.user, grant)
    response = redirect(goal)
    pending.remember_browser(request, response, attempt.user.username)
    return response


def _enter(request: HttpRequest, user: User, grant: DeviceGrant | None) -> None:
    """Open the session; Django gives it a new key."""
    for key in (pending.KEY, "next"):
        request.session.pop(key, None)
    auth_login(request, user, backend=BACKEND)
    where = caller(request)
    open_for(request, address=where.address, browser=where.browser)
    if grant is not None:
        otp_login(request, grant)
        request.session[PROVEN_AT] = timezone.now().isoformat()


def _over(request: HttpRequest) -> HttpResponse:
    request.session.pop(pending.KEY, None)
    return _password_page(request, PasswordForm(), "", LoginRefusal.LOGIN_OVER)


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        operations.log_out(by=caller(request), now=timezone.now())
    auth_logout(request)
    response = redirect(reverse("login"))
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response
