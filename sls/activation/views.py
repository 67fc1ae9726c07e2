"""The link in the message about a waiting activation."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from portal.caller import caller
from portal.errors import Refused
from sls.models import ActivationState

from . import operations


@require_http_methods(["GET", "POST"])
def cancel(request: HttpRequest, token: str) -> HttpResponse:
    """
    "This was not me", without a login. Opening the page changes nothing: mail scanners open every link.
    """
    try:
        if request.method == "POST":
            activation = operations.cancel_by_link(token, by=caller(request), now=timezone.now())
        else:
            activation = operations.by_link(token)
    except Refused as refused:
        return render(request, "refused.html", {"refusal": refused.reason}, status=409)
    context = {
        "username": activation.user.username,
        "can_cancel": activation.state == ActivationState.WAITING,
        "is_done": request.method == "POST",
    }
    return render(request, "sls/phone/cancel.html", context)
