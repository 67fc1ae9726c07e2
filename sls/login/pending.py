"""The half-done login of a browser: its id and mark in the session, everything else in its row."""

import secrets
from typing import Any

from django.conf import settings
from django.core import signing
from django.db.models import DateTimeField, QuerySet, UUIDField
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme

from portal.clock import TOLERANCE
from portal.compiled import compiled
from portal.errors import Refused
from portal.models import User
from portal.models.account import normalise_username
from sls.models import AttemptState, LoginAttempt

from . import queries
from .operations import Begun, digest
from .rules import LoginRefusal

KEY = "login"
KNOWN_SALT = "sls.login.known"
KNOWN_USERNAMES = 5


def stash(request: HttpRequest, begun: Begun, *, keeps_session: bool = False) -> None:
    """
    Remember the attempt in a new session, so that no id from before the password is good after it. Who is
    logged in already keeps his session until he has answered.
    """
    assert begun.attempt is not None
    if not keeps_session:
        request.session.flush()
    request.session[KEY] = {"attempt": str(begun.attempt.pk), "mark": begun.mark}


def load(request: HttpRequest) -> LoginAttempt | None:
    """This browser's attempt while it waits, else None."""
    kept = request.session.get(KEY)
    if kept is None:
        return None
    now = timezone.now()
    attempt: LoginAttempt | None = _waiting.first(
        pk=kept["attempt"], now=now, latest=now + TOLERANCE
    )
    if attempt is None or not constant_time_compare(attempt.session, digest(kept["mark"])):
        return None
    return attempt


@compiled(pk=UUIDField(), now=DateTimeField(), latest=DateTimeField())
def _waiting(pk: Any, now: Any, latest: Any) -> QuerySet[LoginAttempt]:
    found = LoginAttempt.objects.filter(
        pk=pk,
        state=AttemptState.PENDING,
        expires_at__gt=now,
        started_at__lte=latest,  # one that has not begun yet would live for longer than others
    )
    return found.select_related("user", "grant__device", "challenge__device").defer(
        "grant__device__secret"
    )


def may_be_done(request: HttpRequest) -> bool:
    """Has this browser's login been completed, or has the request no login at all?"""
    kept = request.session.get(KEY)
    return kept is None or queries.is_completed(kept["attempt"])


def refuse_older(request: HttpRequest, attempt: LoginAttempt) -> None:
    """
    Raises Refused for a page that shows an older challenge than the one that counts. The page's word only
    ever spares a try; what is judged is the attempt's own challenge.
    """
    shown = request.POST.get("asked", "")
    if shown and shown != str(attempt.challenge_id):
        raise Refused(LoginRefusal.NEWER_LOGIN)


def known_browser(request: HttpRequest, username: str) -> str:
    """
    The mark of a browser in which this username has logged in fully, else "". It only opens a lane of its
    own for failed passwords (abuse-cases.md section 3, decision 2) and is no factor.
    """
    return _marks(request).get(normalise_username(username), "")


def remember_browser(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """
    Leave a mark for this username in the browser, beside those of at most four others. It bears the epoch of
    the user's marks: raising that forgets all of them, whoever holds the cookies.
    """
    marks = _marks(request)
    kept = marks.pop(user.username, "")
    is_good = kept.startswith(f"{user.browser_epoch}.")
    new = f"{user.browser_epoch}.{secrets.token_urlsafe(16)}"
    marks[user.username] = kept if is_good else new
    newest = dict(list(marks.items())[-KNOWN_USERNAMES:])
    response.set_cookie(
        settings.KNOWN_BROWSER_COOKIE,
        signing.dumps(newest, salt=KNOWN_SALT),
        max_age=settings.KNOWN_BROWSER_LIFE,
        secure=settings.TLS,
        httponly=True,
        samesite="Lax",
    )


def _marks(request: HttpRequest) -> dict[str, str]:
    cookie = request.COOKIES.get(settings.KNOWN_BROWSER_COOKIE, "")
    try:
        marks = signing.loads(cookie, salt=KNOWN_SALT, max_age=settings.KNOWN_BROWSER_LIFE)
    except signing.BadSignature:
        return {}
    return dict(marks)


def safe_next(request: HttpRequest) -> str:
    """Where the user wanted to go, if it is a page of ours; else ""."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    if wanted.startswith("/") and url_has_allowed_host_and_scheme(
        wanted, allowed_hosts=None, require_https=request.is_secure()
    ):
        return wanted
    return ""
