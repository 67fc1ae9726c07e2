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

View = Callable[..., HttpResponse]
PROVEN_AT = "proven_at"  # in the session: when a device was last proven


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


def freshly_proven(view: View) -> View:
    """
    For security settings: as `proven_or_new`, and the device was proven in the last few minutes; else it is
    asked once more, and the user comes back to the page.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        proven_at = datetime.fromisoformat(request.session.get(PROVEN_AT, "1970-01-01T00:00+00:00"))
        is_stale = timezone.now() - proven_at > settings.PROOF_STAYS_FRESH
        if request.user.is_authenticated and request.user.is_verified() and is_stale:
            return redirect(f"{reverse('login_confirm')}?{urlencode({'next': request.path})}")
        return proven_or_new(view)(request, *args, **kwargs)

    return guarded


def has_active_device(user: User) -> bool:
    return DeviceGrant.objects.filter(
        user=user, confirmed=True, device__state=DeviceState.ACTIVE
    ).exists()


def was_protected(user: User) -> bool:
    """
    Has this user ever had an active device? Then a password alone is no login any more, even when none
    is left: nobody falls back to one factor unawares (abuse-cases.md E 103).
    """
    granted = DeviceGrant.objects.filter(user=user).exclude(state=GrantState.PENDING)
    return granted.filter(Q(share__isnull=True) | Q(share__enforced_at__isnull=False)).exists()
