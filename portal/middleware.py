"""Middleware: response headers, request ids, idle sessions, and refusals as pages."""

import logging
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import ngettext

from portal.errors import Refused
from portal.logs import request_id
from portal.metrics.counts import counts
from portal.sessions import SEEN, STARTED

access = logging.getLogger("portal.access")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

GetResponse = Callable[[HttpRequest], HttpResponse]

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "object-src 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
if settings.TLS:
    HEADERS["Strict-Transport-Security"] = (
        f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains; preload"
    )


class Headers:
    """Outermost, so that redirects, errors and static files carry the headers too."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        is_file = request.path.startswith(settings.STATIC_URL) and response.status_code < 400
        if not is_file:
            patch_cache_control(response, no_store=True)
        return response


class RequestId:
    """Names each request; audit rows, log lines and error pages carry the name. Counts it, too."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.id = str(uuid.uuid4())  # type: ignore[attr-defined]
        before, began = request_id.set(request.id), time.perf_counter()  # type: ignore[attr-defined]
        try:
            response = self.get_response(request)
            self._note(request, response, time.perf_counter() - began)
        finally:
            request_id.reset(before)
        return response

    def _note(self, request: HttpRequest, response: HttpResponse, seconds: float) -> None:
        """Under the view's name: a path may hold the token of a link."""
        found = request.resolver_match
        view, method = (found.view_name if found else "none"), _method(request)
        counts.add("requests", view, method, str(response.status_code))
        counts.took("latency", view, seconds=seconds)
        if access.isEnabledFor(logging.INFO):
            access.info("%s %s %d %.0f ms", method, view, response.status_code, seconds * 1000)


def _method(request: HttpRequest) -> str:
    """One of a few: strangers make up methods, and each would be a series of its own."""
    return request.method if request.method in METHODS else "other"


class IdleSessions:
    """
    Ends a session that nobody used for `SESSION_IDLE`, or that is older than `SESSION_LIFE` however much
    it is used, and says so on the next page. The mark is written at most once a minute, so that reading
    pages does not write.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if SESSION_KEY in request.session:
            why = self._over_or_seen(request)
            if why:
                logout(request)
                messages.info(request, why)
                if request.method not in ("GET", "HEAD") and not _is_login(request):
                    # What was posted is not done. He comes back to the page with the form.
                    return redirect_to_login(_page_before(request))
        return self.get_response(request)

    def _over_or_seen(self, request: HttpRequest) -> str:
        """Why the session is over, or "" for one that goes on and is marked as used."""
        now, kept = timezone.now(), request.session
        started = datetime.fromisoformat(kept.setdefault(STARTED, now.isoformat()))
        seen = datetime.fromisoformat(kept.get(SEEN, now.isoformat()))
        if now - started > settings.SESSION_LIFE:
            hours = settings.SESSION_LIFE // timedelta(hours=1)
            words = ngettext(
                "Your session ended: %(number)d hour after the login it always does.",
                "Your session ended: %(number)d hours after the login it always does.",
                hours,
            )
            return words % {"number": hours}
        if now - seen > settings.SESSION_IDLE:
            minutes = settings.SESSION_IDLE // timedelta(minutes=1)
            words = ngettext(
                "Your session ended after %(number)d minute without activity.",
                "Your session ended after %(number)d minutes without activity.",
                minutes,
            )
            return words % {"number": minutes}
        if SEEN not in kept or (now - seen).total_seconds() > 60:
            kept[SEEN] = now.isoformat()
        return ""


def _is_login(request: HttpRequest) -> bool:
    """Logging in and out go on without the old session."""
    return request.path.startswith((reverse("login"), reverse("logout")))


def _page_before(request: HttpRequest) -> str:
    """The page of ours on which the form stood, else home."""
    came_from = urlsplit(request.headers.get("Referer", ""))
    is_ours = came_from.netloc == request.get_host() and came_from.path.startswith("/")
    page = came_from.path + (f"?{came_from.query}" if came_from.query else "")
    return page if is_ours else reverse("home")


class Refusals:
    """A refusal nobody caught becomes a page that says what, why and what now."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, Refused):
            return None
        return render(request, "refused.html", {"refusal": error.reason}, status=409)
