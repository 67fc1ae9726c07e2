"""The password page of the user settings."""

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from portal.caller import SignedInRequest, caller
from portal.errors import Reason, Refused
from sls.access import freshly_proven

from . import operations
from .forms import PasswordChangeForm


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
