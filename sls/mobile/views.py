"""Mobile Number: the numbers on record, verifying one, and SMS codes at the login."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.caller import SignedInRequest, caller
from portal.errors import Reason, Refused
from portal.models import PhoneNumber
from sls.access import freshly_proven, proven_or_new
from sls.devices.queries import standing_of_code
from sls.devices.rules import ProofRefusal

from . import operations, queries
from .forms import CodeForm, NumberForm
from .rules import NumberRefusal

ALIVE_AFTER = (
    None,
    ProofRefusal.INVALID_RESPONSE,
    ProofRefusal.TOO_SOON,
    ProofRefusal.TOO_MANY_MESSAGES,
)


@require_GET
@proven_or_new
def numbers(request: SignedInRequest) -> HttpResponse:
    context = {
        "numbers": queries.number_list(request.user),
        "may_use_sms": not queries.has_permanent_device(request.user),
    }
    return render(request, "sls/mobile/numbers.html", context)


@require_http_methods(["GET", "POST"])
@freshly_proven
def add(request: SignedInRequest) -> HttpResponse:
    form = NumberForm(request.POST or None)
    refusal: Reason | None = None
    if request.method == "POST" and form.is_valid():
        user = request.user
        try:
            operations.add(
                form.cleaned_data["e164"],
                proven_with=user.otp_device if user.is_verified() else None,
                by=caller(request),
                now=timezone.now(),
            )
            messages.success(request, _("The number is on record. Verify it now."))
            return redirect("settings:mobile")
        except Refused as refused:
            refusal = refused.reason
    return render(request, "sls/mobile/add.html", {"form": form, "refusal": refusal})


@require_POST
@proven_or_new
def send_code(request: SignedInRequest, number_id: int) -> HttpResponse:
    try:
        operations.send_code(_mine(request, number_id), by=caller(request), now=timezone.now())
        messages.success(request, _("A code is on its way. Only the newest one works."))
    except Refused as refused:
        if refused.reason is not ProofRefusal.TOO_SOON:
            raise
        messages.warning(request, str(refused.reason.sentence))
    return redirect("settings:mobile_code")


@sensitive_post_parameters("response")
@require_http_methods(["GET", "POST"])
@proven_or_new
def verify(request: SignedInRequest) -> HttpResponse:
    check = queries.open_check(request.user)
    if check is None or check.challenge is None:
        return redirect("settings:mobile")
    form = CodeForm(request.POST or None)
    refusal: Reason | None = None
    if request.method == "POST" and form.is_valid():
        response = form.cleaned_data["response"]
        try:
            operations.verify(check, response=response, by=caller(request), now=timezone.now())
            messages.success(request, _("The number is verified."))
            return redirect("settings:mobile")
        except Refused as refused:
            refusal = refused.reason
            form = CodeForm()
    if check.challenge.expires_at <= timezone.now():
        refusal = ProofRefusal.CHALLENGE_EXPIRED
    context = {
        "form": form,
        "check": check,
        "challenge": check.challenge,
        "refusal": refusal,
        "is_dead": refusal not in ALIVE_AFTER,
        "standing": standing_of_code(check.challenge),
        "again_url": reverse("settings:mobile_code"),
    }
    return render(request, "sls/mobile/code.html", context)


@require_http_methods(["GET", "POST"])
@freshly_proven
def use_for_login(request: SignedInRequest, number_id: int) -> HttpResponse:
    number = _mine(request, number_id)
    refusal: Reason | None = None
    if request.method == "POST":
        try:
            operations.use_for_login(number, by=caller(request), now=timezone.now())
            messages.success(request, _("From now on an SMS code is asked at the login."))
            return redirect("settings:secure_login")
        except Refused as refused:
            refusal = refused.reason
    elif queries.good_check(request.user, number) is None:
        refusal = NumberRefusal.NOT_VERIFIED
    context = {"number": number, "refusal": refusal}
    return render(request, "sls/mobile/use.html", context)


def _mine(request: SignedInRequest, number_id: int) -> PhoneNumber:
    number = queries.owned_number(number_id, request.user)
    if number is None:
        raise Http404
    return number
