"""The half-done login of a browser: its id and mark in the session, everything else in its row."""

from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme

from sls.models import AttemptState, LoginAttempt

from .operations import Begun, digest

KEY = "login"


def stash(request: HttpRequest, begun: Begun) -> None:
    """Remember the attempt in a new session, so that no id from before the password is good after it."""
    assert begun.attempt is not None
    request.session.flush()
    request.session[KEY] = {"attempt": str(begun.attempt.pk), "mark": begun.mark}


def load(request: HttpRequest) -> LoginAttempt | None:
    """This browser's attempt while it waits, else None."""
    kept = request.session.get(KEY)
    if kept is None:
        return None
    attempt = (
        LoginAttempt.objects.select_related("user__entity", "grant__device", "challenge__device")
        .filter(pk=kept["attempt"], state=AttemptState.PENDING, expires_at__gt=timezone.now())
        .first()
    )
    if attempt is None or not constant_time_compare(attempt.session, digest(kept["mark"])):
        return None
    return attempt


def safe_next(request: HttpRequest) -> str:
    """Where the user wanted to go, if it is a page of ours; else ""."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    if wanted.startswith("/") and url_has_allowed_host_and_scheme(
        wanted, allowed_hosts=None, require_https=request.is_secure()
    ):
        return wanted
    return ""
