"""Which pages need a proven device, and where a session without one is sent."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from portal.models import User
from sls.models import DeviceGrant, DeviceState, GrantState
from sls.models.device import unexpired

View = Callable[..., HttpResponse]
PROVEN_AT = "proven_at"  # in the session: when a device was last proven

# What is left to a session in the limited stage of a Temporary Code, by URL name: log in, log out, language
# and health; the Online Security Code Card; "This was not me"; and the help centre. Whatever is new stays closed.
LEFT_WHEN_LIMITED = {
    *("login", "login_confirm", "login_choose", "login_code", "login_card", "login_challenge"),
    *("login_code_again", "logout", "set_language", "demo", "settings:not_me"),
    *("login_push", "phone_lost"),
    *("enrol_card", "enrol_card_show", "enrol_card_text", "enrol_card_check"),
    *("enrol_card_confirm", "enrol_card_done"),
}


def proven_or_new(view: View) -> View:
    """
    For a session whose device is proven, and for a user who has no active device yet (step 5a of the
    source). A user who has got one since he logged in proves it first.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not request.user.is_verified():
            if has_active_device(request.user):
                return redirect(f"{reverse('login_confirm')}?{urlencode({'next': request.path})}")
            if was_protected(request.user):
                logout(request)
                return redirect_to_login(request.get_full_path())
        return view(request, *args, **kwargs)

    return guarded


def freshly_proven(view: View, *, back_to: Callable[..., str] | None = None) -> View:
    """
    For security settings: as `proven_or_new`, and the device was proven in the last few minutes; else it is
    asked once more, and the user comes back to the page; where that takes no GET, to the one that `back_to`
    names by the view's arguments.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        proven_at = datetime.fromisoformat(request.session.get(PROVEN_AT, "1970-01-01T00:00+00:00"))
        is_stale = timezone.now() - proven_at > settings.PROOF_STAYS_FRESH
        if request.user.is_authenticated and request.user.is_verified() and is_stale:
            goal = back_to(*args, **kwargs) if back_to else request.path
            return redirect(f"{reverse('login_confirm')}?{urlencode({'next': goal})}")
        return proven_or_new(view)(request, *args, **kwargs)

    return guarded


def has_active_device(user: User) -> bool:
    return DeviceGrant.objects.filter(
        unexpired(timezone.now()), user=user, confirmed=True, device__state=DeviceState.ACTIVE
    ).exists()


def was_protected(user: User) -> bool:
    """
    Has this user ever had an active device? Then a password alone is no login any more, even when none
    is left: nobody falls back to one factor unawares (abuse-cases.md E 103).
    """
    granted = DeviceGrant.objects.filter(user=user).exclude(state=GrantState.PENDING)
    return granted.filter(Q(share__isnull=True) | Q(share__enforced_at__isnull=False)).exists()


class LimitedStage:
    """
    Middleware: from the third day a Temporary Code opens nothing but the way to an Online Security Code Card
    (KB69). It asks every view, not only those that ask for a device, so nothing is forgotten.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        found = request.resolver_match
        is_left = (
            found is None or found.view_name in LEFT_WHEN_LIMITED or "help" in found.namespaces
        )
        if is_left or not request.user.is_authenticated or not request.user.is_verified():
            return None
        if not request.user.otp_device.device.is_limited(timezone.now()):
            return None
        return redirect("enrol_card")
