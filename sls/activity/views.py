"""Where I am logged in, what happened, and the page behind "This was not me"."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.caller import SignedInRequest, caller
from portal.errors import Refused
from sls.access import proven_or_new

from . import operations, queries


@require_GET
@proven_or_new
def sessions(request: SignedInRequest) -> HttpResponse:
    rows = queries.open_sessions(request.user, request.session.session_key)
    return render(request, "sls/activity/sessions.html", {"sessions": rows})


@require_POST
@proven_or_new
def end_session(request: SignedInRequest, handle: str) -> HttpResponse:
    ended = operations.end_session(handle, by=caller(request), now=timezone.now())
    said = _("The session is ended.") if ended else _("That session had ended already.")
    messages.success(request, said)
    return redirect("settings:sessions")


@require_POST
@proven_or_new
def end_other_sessions(request: SignedInRequest) -> HttpResponse:
    ended = operations.end_other_sessions(
        request.session.session_key, by=caller(request), now=timezone.now()
    )
    said = ngettext("%(number)s session is ended.", "%(number)s sessions are ended.", ended)
    messages.success(request, said % {"number": ended})
    return redirect("settings:sessions")


@require_GET
@proven_or_new
def history(request: SignedInRequest) -> HttpResponse:
    wanted = request.GET.get("before", "")
    before = int(wanted) if wanted.isdecimal() and len(wanted) < 19 else None
    rows = queries.history(request.user, before=before)
    older = rows[-1].number if len(rows) == queries.PAGE else None
    return render(request, "sls/activity/history.html", {"history": rows, "older": older})


@require_http_methods(["GET", "POST"])
def not_me(request: HttpRequest, token: str) -> HttpResponse:
    """From a message about a login, without one. Opening the page changes nothing: mail scanners open every link."""
    now = timezone.now()
    is_done = request.method == "POST"
    try:
        if is_done:
            user = operations.disown(token, by=caller(request), now=now)
        else:
            user = operations.disowned_by_link(token, now=now)
    except Refused as refused:
        return render(request, "refused.html", {"refusal": refused.reason}, status=409)
    context = {"username": user.username, "is_done": is_done}
    return render(request, "sls/activity/not_me.html", context)
