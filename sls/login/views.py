"""The login pages: one view, one domain call."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth import login as auth_login
from django.contrib.auth import logout as auth_logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST
from django_otp import login as otp_login

from portal.caller import SignedInRequest, caller
from portal.errors import Reason, Refused
from portal.live import publish
from portal.models import User
from portal.sessions import STARTED, open_for
from sls.access import PROVEN_AT
from sls.browsers import browser_in_words
from sls.catalog import DeviceKind, Element
from sls.devices.forms import ResponseForm
from sls.devices.queries import answerable_grants, standing_of_code
from sls.devices.rules import ProofRefusal
from sls.models import DeviceGrant, LoginAttempt, LoginPrompt, PromptState
from sls.prompts import operations as prompts
from sls.prompts.queries import prompt_of

from . import operations, pending, queries
from .completion import complete, complete_by_push
from .forms import DeviceForm, PasswordForm
from .rules import LoginRefusal

BACKEND = "portal.backends.EntityBackend"
NO_WAIT = timedelta(0)
PAGES = {
    Element.CHALLENGE_CODE: "login_challenge",
    Element.INDEX_NUMBERS: "login_card",
    Element.CODE: "login_code",
}
# After these the same challenge may still be answered.
ALIVE_AFTER = (
    None,
    ProofRefusal.INVALID_RESPONSE,
    LoginRefusal.NEWER_LOGIN,
    ProofRefusal.TOO_SOON,
    ProofRefusal.TOO_MANY_MESSAGES,
)


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
        return _password_page(request, form, goal, refused.reason, refused.wait)
    if begun.attempt is None:
        _enter(request, begun.user, None)
        response = redirect(goal or "home")
        pending.remember_browser(request, response, begun.user)
        return response
    pending.stash(request, begun)
    if goal:
        request.session["next"] = goal
    return _to_device(begun.attempt, several=begun.has_choice, prompt=begun.prompt)


def _password_page(
    request: HttpRequest,
    form: PasswordForm,
    goal: str,
    refusal: Reason | None = None,
    wait: timedelta = NO_WAIT,
) -> HttpResponse:
    context = {"form": form, "next": goal, "refusal": refusal, "wait": int(wait.total_seconds())}
    return render(request, "sls/login/password.html", context)


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
    grants = answerable_grants(attempt.user, now=timezone.now())
    form = DeviceForm(request.POST or None)
    form.offer(grants)
    refusal = None
    if request.method == "POST" and form.is_valid():
        try:
            prompt = operations.choose(
                attempt,
                grant_id=form.cleaned_data["grant"],
                preference=form.preference,
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
        return _to_device(attempt, several=False)
    is_sms = attempt.grant.device.kind == DeviceKind.SMS
    form = ResponseForm(request.POST or None, element=element, has_digits=is_sms)
    refusal: Reason | None = None
    if request.method == "POST" and form.is_valid():
        try:
            pending.refuse_older(request, attempt)
            grant = complete(
                attempt,
                response=form.cleaned_data["response"],
                by=caller(request),
                now=timezone.now(),
                known_browser=pending.known_browser(request, attempt.user.username),
            )
            return _arrive(request, attempt, grant)
        except Refused as refused:
            if queries.is_completed(attempt.pk):
                return _to_first_click(request)
            if refused.reason is LoginRefusal.LOGIN_OVER:
                return _over(request)
            refusal = refused.reason
            form = ResponseForm(element=element, has_digits=is_sms)
    if attempt.challenge.expires_at <= timezone.now():
        refusal = ProofRefusal.CHALLENGE_EXPIRED
    return _device_page(request, attempt, form, refusal)


def _device_page(
    request: HttpRequest, attempt: LoginAttempt, form: ResponseForm, refusal: Reason | None
) -> HttpResponse:
    assert attempt.grant is not None
    context = {
        "form": form,
        "grant": attempt.grant,
        "challenge": attempt.challenge,
        "element": attempt.grant.device.traits.element,
        "refusal": refusal,
        "is_dead": refusal not in ALIVE_AFTER,
    }
    if attempt.grant.device.kind == DeviceKind.SMS:
        context |= {"standing": standing_of_code(attempt.challenge)}
        context |= {"again_url": reverse("login_code")}
    return render(request, "sls/login/respond.html", context)


@require_POST
def send_again(request: HttpRequest) -> HttpResponse:
    """Another SMS code, from a minute after the last one."""
    attempt = pending.load(request)
    if attempt is None:
        return _over(request)
    try:
        operations.send_again(attempt, by=caller(request), now=timezone.now())
        messages.success(request, _("A new code is on its way. The one before no longer works."))
        return _to_device(attempt, several=False)
    except Refused as refused:
        if refused.reason is LoginRefusal.LOGIN_OVER:
            return _over(request)
        form = ResponseForm(element=Element.CODE, has_digits=True)
        return _device_page(request, attempt, form, refused.reason)


@require_http_methods(["GET", "POST"])
def push(request: HttpRequest) -> HttpResponse:
    """
    Waiting for the phone. The row says whether it has approved; an event only says "look again", and the
    page's form comes here. Without JavaScript the page loads itself anew, and Continue goes on.
    """
    attempt = pending.load(request)
    if attempt is None:
        return _over(request)
    prompt = prompt_of(attempt)
    if prompt is None:
        return _to_device(attempt)
    refusal: Reason | None = None
    try:
        if request.method == "POST" and (response := _pushed(request, attempt, prompt)):
            return response
    except Refused as refused:
        if queries.is_completed(attempt.pk):
            return _to_first_click(request)
        if refused.reason is LoginRefusal.LOGIN_OVER:
            return _over(request)
        refusal = refused.reason
    return render(request, "sls/login/push.html", _waiting(request, attempt, prompt, refusal))


def _pushed(
    request: HttpRequest, attempt: LoginAttempt, prompt: LoginPrompt
) -> HttpResponse | None:
    """Go on, send the notification again, or cancel; None while the phone has not decided. Raises Refused."""
    by, now = caller(request), timezone.now()
    if "again" in request.POST:
        prompts.resend(prompt, by=by, now=now)
        return redirect("login_push")
    if "cancel" in request.POST:
        prompts.cancel(prompt, by=by, now=now)
        return redirect("login_push")
    if prompt.state != PromptState.APPROVED:
        return None
    known = pending.known_browser(request, attempt.user.username)
    grant = complete_by_push(attempt, prompt, by=by, now=now, known_browser=known)
    return _arrive(request, attempt, grant)


def _waiting(
    request: HttpRequest, attempt: LoginAttempt, prompt: LoginPrompt, refusal: Reason | None
) -> dict[str, Any]:
    left = prompt.expires_at - timezone.now()
    is_over = prompt.state == PromptState.WAITING and left <= NO_WAIT
    topic = prompts.topic_of_login(attempt)
    token = publish.token(topic, left, session=caller(request).session)
    return {
        "attempt": attempt,
        "prompt": prompt,
        "state": PromptState.EXPIRED if is_over else PromptState(prompt.state),
        "browser": browser_in_words(attempt.browser),
        "events": publish.address(token),
        "seconds_left": max(0, int(left.total_seconds())),
        "refusal": refusal,
    }


def _arrive(request: HttpRequest, attempt: LoginAttempt, grant: DeviceGrant) -> HttpResponse:
    goal = request.session.get("next") or "home"
    _enter(request, attempt.user, grant)
    response = redirect(goal)
    pending.remember_browser(request, response, attempt.user)
    return response


def _enter(request: HttpRequest, user: User, grant: DeviceGrant | None) -> None:
    """Open the session; Django gives it a new key. Proving the device once more makes it no younger."""
    goes_on = request.user.is_authenticated and request.user.pk == user.pk
    since = request.session.get(STARTED, "") if goes_on else ""
    for key in (pending.KEY, "next"):
        request.session.pop(key, None)
    auth_login(request, user, backend=BACKEND)
    where = caller(request)
    open_for(request, address=where.address, browser=where.browser, since=since)
    if grant is not None:
        otp_login(request, grant)
        request.session[PROVEN_AT] = timezone.now().isoformat()


def _to_first_click(request: HttpRequest) -> HttpResponse:
    """
    The second click of a double click: the login page sends on who is in by the first one's cookie, and
    nobody else. It touches neither the session nor the cookie.
    """
    goal = request.session.get("next", "")
    return redirect(f"{reverse('login')}?{urlencode({'next': goal})}" if goal else "login")


def _over(request: HttpRequest) -> HttpResponse:
    """
    There is no login to go on with. Whoever is in already came by Back, Reload or a double click; a request
    whose login is done, or that has none, may be the second click, whose browser has got its new cookie
    meanwhile. So the session is left as it is: saving it would send the old cookie after the new one.
    """
    if request.user.is_authenticated:
        return redirect(request.session.get("next") or "home")
    if request.method == "POST" and pending.may_be_done(request):
        return _to_first_click(request)
    return _password_page(request, PasswordForm(), "", LoginRefusal.LOGIN_OVER)


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        operations.log_out(by=caller(request), now=timezone.now())
    auth_logout(request)
    response = redirect(reverse("login"))
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response
