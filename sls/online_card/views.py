"""The pages of the Online Security Code Card: one view, one domain call."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_otp import login as otp_login

from portal.caller import SignedInRequest, caller
from portal.errors import Reason, Refused
from sls.access import PROVEN_AT, freshly_proven, proven_or_new
from sls.devices.rules import ProofRefusal, card_rows
from sls.models import CardRequestState, DeviceGrant, OnlineCardRequest

from . import operations, pending, queries
from .forms import CardValuesForm


def _steps() -> list[str]:
    return [_("Request"), _("Print"), _("Card Values"), _("Done")]


@require_http_methods(["GET", "POST"])
@freshly_proven
def card(request: SignedInRequest) -> HttpResponse:
    now = timezone.now()
    refusal: Reason | None = None
    if request.method == "POST":
        try:
            made = operations.request(by=caller(request), now=now)
            return redirect("enrol_card_show", made.pk)
        except Refused as refused:
            refusal = refused.reason
    context = {
        "steps": _steps(),
        "step": 1,
        "refusal": refusal,
        "waiting": queries.waiting(request.user, now=now),
        "replaces": queries.temporary_grants(request.user, now=now),
        "days": settings.ONLINE_CARD_LIFE.days,
        "is_limited": _is_limited(request),
    }
    return render(request, "sls/online_card/card.html", context)


def _is_limited(request: SignedInRequest) -> bool:
    user = request.user
    return user.is_verified() and user.otp_device.device.is_limited(timezone.now())


@require_GET
@freshly_proven
@pending.mine
def show(request: SignedInRequest, card: OnlineCardRequest) -> HttpResponse:
    """The card, until it is confirmed; it may be printed again when it was not printed well."""
    if card.state != CardRequestState.SHOWN:
        return redirect("enrol_card")
    cells = operations.show(card, by=caller(request), now=timezone.now())
    context = {
        "steps": _steps(),
        "step": 2,
        "card": card,
        "rows": card_rows(cells),
        "is_large": request.GET.get("print") == "large",
    }
    return render(request, "sls/online_card/show.html", context)


@require_GET
@freshly_proven
@pending.mine
def as_text(request: SignedInRequest, card: OnlineCardRequest) -> HttpResponse:
    """One line for each value: for a screen reader, a Braille display, or a note of one's own."""
    cells = operations.show(card, by=caller(request), now=timezone.now())
    lines = [f"{index} {cell}\n" for index, cell in enumerate(cells, 1)]
    return HttpResponse("".join(lines), content_type="text/plain; charset=utf-8")


@require_POST
@proven_or_new
@pending.mine
def check(request: SignedInRequest, card: OnlineCardRequest) -> HttpResponse:
    operations.ask(card, by=caller(request), now=timezone.now())
    return redirect("enrol_card_confirm", card.pk)


@sensitive_post_parameters("response")
@require_http_methods(["GET", "POST"])
@proven_or_new
@pending.mine
def confirm(request: SignedInRequest, card: OnlineCardRequest) -> HttpResponse:
    if card.state == CardRequestState.CONFIRMED:
        return redirect("enrol_card_done", card.pk)
    if card.state != CardRequestState.SHOWN or card.challenge is None:
        return redirect("enrol_card")
    form = CardValuesForm(request.POST or None)
    refusal: Reason | None = None
    if request.method == "POST" and form.is_valid():
        response = form.cleaned_data["response"]
        try:
            grant = operations.confirm(
                card, response=response, by=caller(request), now=timezone.now()
            )
            _stay_in(request, grant)
            return redirect("enrol_card_done", card.pk)
        except Refused as refused:
            refusal = refused.reason
            form = CardValuesForm()
    if card.challenge.expires_at <= timezone.now():
        refusal = ProofRefusal.CHALLENGE_EXPIRED
    context = {
        "steps": _steps(),
        "step": 3,
        "card": card,
        "challenge": card.challenge,
        "form": form,
        "refusal": refusal,
        "is_dead": refusal not in (None, ProofRefusal.INVALID_RESPONSE),
    }
    return render(request, "sls/online_card/confirm.html", context)


def _stay_in(request: SignedInRequest, grant: DeviceGrant) -> None:
    """
    The session of a user who had no device, or whose temporary one has just ended, goes on under the card he
    has just proven, with a new key. One that a permanent device opened stays as it is.
    """
    user = request.user
    if user.is_verified() and not user.otp_device.device.traits.is_temporary:
        return
    request.session.cycle_key()
    otp_login(request, grant)
    request.session[PROVEN_AT] = timezone.now().isoformat()


@require_GET
@proven_or_new
@pending.mine
def done(request: SignedInRequest, card: OnlineCardRequest) -> HttpResponse:
    if card.state != CardRequestState.CONFIRMED:
        return redirect("enrol_card")
    context = {"steps": _steps(), "step": 4, "card": card}
    return render(request, "sls/online_card/done.html", context)
