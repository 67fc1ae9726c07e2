"""Pages about phones: the public one for a lost phone, and the settings of the user's own."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from portal.caller import SignedInRequest, caller
from portal.errors import Reason, Refused
from sls.access import freshly_proven
from sls.models import PhoneState

from . import operations, queries
from .pages import LostForm


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def lost(request: HttpRequest) -> HttpResponse:
    """It can only freeze, and says the same whatever was typed."""
    form = LostForm(request.POST or None)
    is_done = request.method == "POST" and form.is_valid()
    if is_done:
        operations.report_lost(**form.cleaned_data, by=caller(request), now=timezone.now())
    return render(request, "sls/phone/lost.html", {"form": form, "is_done": is_done})


@require_http_methods(["GET", "POST"])
@freshly_proven
def own(request: SignedInRequest) -> HttpResponse:
    """Seamless authentication on or off; freezing one's phone, or thawing it with another device."""
    found = queries.phone_user_of(request.user)
    if found is None:
        return redirect("settings:secure_login")
    refusal: Reason | None = None
    if request.method == "POST":
        by, now = caller(request), timezone.now()
        try:
            if "seamless" in request.POST:
                is_on = request.POST["seamless"] == "on"
                operations.set_seamless(request.user, is_on=is_on, by=by, now=now)
                messages.success(request, _("The setting is saved."))
            elif "freeze" in request.POST:
                operations.freeze(found.phone, reason="by_user", by=by, now=now)
                messages.success(request, _("The phone is frozen."))
            elif "thaw" in request.POST:
                operations.thaw(found.phone, by=by, now=now)
                messages.success(request, _("The phone works again."))
            return redirect("phone_own")
        except Refused as refused:
            refusal = refused.reason
    context = {
        "row": found,
        "is_frozen": found.phone.state == PhoneState.FROZEN,
        "others": queries.all_usernames_on([found.phone]).exclude(user=request.user),
        "refusal": refusal,
    }
    return render(request, "sls/phone/own.html", context)
