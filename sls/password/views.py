"""The password page of the user settings, and the pages of a forgotten password."""

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from portal.caller import SignedInRequest, caller
from portal.errors import Reason, Refused
from sls.access import freshly_proven
from sls.catalog import DeviceKind
from sls.devices.forms import ResponseForm
from sls.devices.rules import ProofRefusal
from sls.models import PasswordReset, ResetState

from . import operations, pending, queries
from .forms import ForgotForm, NewPasswordForm, PasswordChangeForm, ResetDeviceForm
from .rules import PasswordRefusal

STILL_ALIVE = (ProofRefusal.INVALID_RESPONSE, PasswordRefusal.NEWER_CHALLENGE)


@sensitive_post_parameters("old", "new", "again")
@require_http_methods(["GET", "POST"])
@freshly_proven
def change(request: SignedInRequest) -> HttpResponse:
    form = PasswordChangeForm(request.POST or None, user=request.user)
    refusal: Reason | None = None
    if request.method == "POST" and form.is_valid():
        try:
            user = operations.change(
                old=form.cleaned_data["old"],
                new=form.cleaned_data["new"],
                by=caller(request),
                now=timezone.now(),
            )
        except Refused as refused:
            refusal = refused.reason
        else:
            update_session_auth_hash(request, user)
            messages.success(request, _("Your password is changed. Other sessions have ended."))
            return redirect("settings:user")
    return render(request, "sls/password/change.html", {"form": form, "refusal": refusal})


# --- A forgotten password ------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def forgot(request: HttpRequest) -> HttpResponse:
    """The same answer for every name."""
    form = ForgotForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        operations.ask(
            username=form.cleaned_data["username"], by=caller(request), now=timezone.now()
        )
        return redirect("settings:forgot_sent")
    return render(request, "sls/password/forgot.html", {"form": form})


@require_GET
def forgot_sent(request: HttpRequest) -> HttpResponse:
    return render(request, "sls/password/forgot_sent.html")


@require_http_methods(["GET", "POST"])
def reset(request: HttpRequest, token: str) -> HttpResponse:
    """The link of the message. Opening it changes nothing: mail scanners open every link."""
    now = timezone.now()
    try:
        if request.method == "POST":
            started = operations.start(token, by=caller(request), now=now)
            pending.stash(request, started)
            if started.has_choice:
                return redirect("settings:reset_choose")
            return redirect(pending.PAGES[ResetState(started.reset.state)])
        user = operations.linked_user(token, now=now)
    except Refused as refused:
        return render(request, "refused.html", {"refusal": refused.reason}, status=409)
    return render(request, "sls/password/reset.html", {"username": user.username})


@require_http_methods(["GET", "POST"])
@pending.step(ResetState.ASKED)
def reset_choose(request: HttpRequest, reset: PasswordReset) -> HttpResponse:
    form = ResetDeviceForm(request.POST or None)
    form.offer(queries.grants(reset.user, now=timezone.now()))
    refusal: Reason | None = None
    if request.method == "POST" and form.is_valid():
        try:
            operations.choose(reset, grant_id=form.cleaned_data["grant"], now=timezone.now())
            return redirect("settings:reset_device")
        except Refused as refused:
            refusal = refused.reason
    return render(request, "sls/password/reset_choose.html", {"form": form, "refusal": refusal})


@sensitive_post_parameters("response")
@require_http_methods(["GET", "POST"])
@pending.step(ResetState.ASKED)
def reset_device(request: HttpRequest, reset: PasswordReset) -> HttpResponse:
    """The device's own page, as in a login."""
    if reset.grant is None or reset.challenge is None:
        return pending.over(request)
    device = reset.grant.device
    element, has_digits = device.traits.element, device.kind == DeviceKind.SMS
    form = ResponseForm(request.POST or None, element=element, has_digits=has_digits)
    refusal: Reason | None = None
    if request.method == "POST" and form.is_valid():
        response = form.cleaned_data["response"]
        try:
            pending.refuse_older(request, reset)
            operations.prove(reset, response=response, by=caller(request), now=timezone.now())
            return redirect("settings:reset_new")
        except Refused as refused:
            refusal = refused.reason
            form = ResponseForm(element=element, has_digits=has_digits)
    if reset.challenge.expires_at <= timezone.now():
        refusal = ProofRefusal.CHALLENGE_EXPIRED
    context = {
        "form": form,
        "grant": reset.grant,
        "challenge": reset.challenge,
        "element": element,
        "refusal": refusal,
        "is_dead": refusal not in (None, *STILL_ALIVE),
    }
    return render(request, "sls/password/reset_device.html", context)


@sensitive_post_parameters("new", "again")
@require_http_methods(["GET", "POST"])
@pending.step(ResetState.PROVEN)
def reset_new(request: HttpRequest, reset: PasswordReset) -> HttpResponse:
    form = NewPasswordForm(request.POST or None, user=reset.user)
    if request.method == "POST" and form.is_valid():
        try:
            new = form.cleaned_data["new"]
            operations.finish(reset, new=new, by=caller(request), now=timezone.now())
        except Refused:
            return pending.over(request)
        pending.forget(request)
        messages.success(request, _("Your new password is set. Log in with it."))
        return redirect("login")
    return render(request, "sls/password/reset_new.html", {"form": form})
