"""The reset of a browser that is under way: its id and mark in the session, everything else in its row."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from portal.errors import Refused
from sls.models import PasswordReset, ResetState

from . import queries
from .operations import Started, digest
from .rules import PasswordRefusal

KEY = "reset"
View = Callable[..., HttpResponse]
PAGES = {ResetState.ASKED: "settings:reset_device", ResetState.PROVEN: "settings:reset_new"}


def stash(request: HttpRequest, started: Started) -> None:
    """Remember the reset in a new session: who was logged in here is so no more."""
    request.session.flush()
    request.session[KEY] = {"reset": str(started.reset.pk), "mark": started.mark}


def forget(request: HttpRequest) -> None:
    request.session.flush()


def refuse_older(request: HttpRequest, reset: PasswordReset) -> None:
    """Raises Refused for a page that shows an older challenge than the one that counts; no try is lost."""
    shown = request.POST.get("asked", "")
    if shown and shown != str(reset.challenge_id):
        raise Refused(PasswordRefusal.NEWER_CHALLENGE)


def step(state: ResetState) -> Callable[[View], View]:
    """
    Load this browser's reset and let the view see it while it is in `state`; otherwise to the page where
    it is, or to the word that it is over.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            kept = request.session.get(KEY) or {"reset": None, "mark": ""}
            reset = queries.open_reset(kept["reset"], now=timezone.now())
            ours = reset is not None and constant_time_compare(reset.session, digest(kept["mark"]))
            if reset is None or not ours or reset.state not in PAGES:
                return over(request)
            if reset.state != state:
                return redirect(PAGES[ResetState(reset.state)])
            return view(request, reset, **kwargs)

        return guarded

    return decorate


def over(request: HttpRequest) -> HttpResponse:
    return render(request, "refused.html", {"refusal": PasswordRefusal.RESET_OVER}, status=409)
