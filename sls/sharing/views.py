"""The share wizard's pages, steps 6 to 9 of "How to share a security device", and the ways back."""

import uuid
from contextlib import suppress

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from portal.caller import SignedInRequest, caller
from portal.errors import Reason, Refused
from sls.access import proven_or_new
from sls.devices.forms import ResponseForm
from sls.devices.rules import ProofRefusal
from sls.models import ShareRequest, ShareState
from sls.review import SIGNALS, ReviewReason

from . import completion, operations, pending, queries
from .forms import NoteForm, OwnerCredentialsForm
from .rules import RejectionReason, ShareRefusal

STEPS = [
    gettext_lazy("Device owner"),
    gettext_lazy("Response"),
    gettext_lazy("Review"),
    gettext_lazy("Status"),
]


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
@proven_or_new
def owner(request: SignedInRequest) -> HttpResponse:
    """Step 6: the credentials of the device owner."""
    form = OwnerCredentialsForm(request.POST or None)
    refusal: Reason | None = None
    if request.method == "POST" and form.is_valid():
        try:
            share = operations.start(
                by=caller(request),
                owner_username=form.cleaned_data["username"],
                owner_password=form.cleaned_data["password"],
                now=timezone.now(),
            )
            return redirect("sharing:respond", share.pk)
        except Refused as refused:
            refusal = refused.reason
    context = {"form": form, "refusal": refusal, "step": 1, "steps": STEPS}
    return render(request, "sls/sharing/owner.html", context)


@sensitive_post_parameters("response")
@require_http_methods(["GET", "POST"])
@login_required
@pending.step(ShareState.DRAFT)
@proven_or_new
def respond(request: SignedInRequest, share: ShareRequest) -> HttpResponse:
    """Step 7: the security element, and the response that the owner's device gives for it."""
    element = share.device.traits.element
    form = ResponseForm(request.POST or None, element=element)
    refusal: Reason | None = None
    if request.method == "POST" and form.is_valid():
        try:
            operations.answer(
                share,
                response=form.cleaned_data["response"],
                by=caller(request),
                now=timezone.now(),
            )
            return pending.page_of(share)
        except Refused as refused:
            if refused.reason is ShareRefusal.START_OVER:
                return redirect("sharing:status", share.pk)
            refusal = refused.reason
            form = ResponseForm(element=element)
    elif share.challenge.expires_at <= timezone.now():
        refusal = ProofRefusal.CHALLENGE_EXPIRED
    context = {
        "form": form,
        "share": share,
        "challenge": share.challenge,
        "element": element,
        "refusal": refusal,
        "is_dead": refusal not in (None, ProofRefusal.INVALID_RESPONSE),
        "step": 2,
        "steps": STEPS,
    }
    return render(request, "sls/sharing/respond.html", context)


@require_http_methods(["GET", "POST"])
@login_required
@pending.step(ShareState.PROVEN)
@proven_or_new
def review(request: SignedInRequest, share: ShareRequest) -> HttpResponse:
    """Step 8: what will happen, and Continue."""
    form = NoteForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        note = form.cleaned_data["note"]
        with suppress(Refused):  # the status page says where the request stands now
            completion.submit(share, note=note, by=caller(request), now=timezone.now())
        return redirect("sharing:status", share.pk)
    context = {
        "form": form,
        "share": share,
        "redundant": queries.redundant_grants(share.requester, now=timezone.now()),
        "step": 3,
        "steps": STEPS,
    }
    return render(request, "sls/sharing/review.html", context)


@require_GET
@login_required
def status(request: SignedInRequest, share_id: uuid.UUID) -> HttpResponse:
    """
    Step 9: the status of the request. It asks for no proof: whose first device just came into force has
    not logged in with it yet.
    """
    share = _share_of(request, share_id)
    state = ShareState.EXPIRED if pending.is_over(share) else ShareState(share.state)
    context = {
        "share": share,
        "state": state,
        "refusal": _refusal_of(share, state),
        "review_reasons": _review_reasons(share) if state == ShareState.PENDING else [],
        "is_requester": share.requester_id == request.user.pk,
        "resume": pending.PAGES.get(state),
        "step": 4,
        "steps": STEPS,
    }
    return render(request, "sls/sharing/status.html", context)


def _refusal_of(share: ShareRequest, state: ShareState) -> Reason | None:
    """Why the request did not succeed, as it was found then."""
    if state == ShareState.REFUSED and share.reasons:
        return ShareRefusal(share.reasons[0])  # type: ignore[call-arg]
    if state == ShareState.REJECTED and share.decision_reason:
        return RejectionReason(share.decision_reason)  # type: ignore[call-arg]
    return ShareRefusal.START_OVER if state == ShareState.EXPIRED else None


def _review_reasons(share: ShareRequest) -> list[str]:
    """Why the request waits; signals are told to officers only."""
    told = [code for code in share.reasons if code in ReviewReason.values and code not in SIGNALS]
    return [str(ReviewReason(code).label) for code in told]


@require_http_methods(["GET", "POST"])
@proven_or_new
def withdraw(request: SignedInRequest, share_id: uuid.UUID) -> HttpResponse:
    """Take back a request that waits for approval, after a confirmation."""
    share = _share_of(request, share_id)
    if share.requester_id != request.user.pk:
        raise Http404
    if request.method == "POST":
        completion.withdraw(share, by=caller(request), now=timezone.now())
        messages.success(request, _("The request is withdrawn."))
        return redirect("settings:secure_login")
    if share.state != ShareState.PENDING:
        return redirect("sharing:status", share.pk)
    return render(request, "sls/sharing/withdraw.html", {"share": share})


@require_http_methods(["GET", "POST"])
@proven_or_new
def cancel(request: SignedInRequest, share_id: uuid.UUID) -> HttpResponse:
    """Cancel Sharing, from either side, after a confirmation."""
    share = _share_of(request, share_id)
    if share.state != ShareState.ENFORCED:
        return redirect("sharing:status", share.pk)
    refusal: Reason | None = None
    if request.method == "POST":
        try:
            completion.cancel(share, by=caller(request), now=timezone.now())
            messages.success(request, _("The sharing is cancelled."))
            return redirect("sharing:status", share.pk)
        except Refused as refused:
            refusal = refused.reason
    context = {
        "share": share,
        "refusal": refusal,
        "is_requester": share.requester_id == request.user.pk,
    }
    return render(request, "sls/sharing/cancel.html", context)


@require_http_methods(["GET", "POST"])
def undo(request: HttpRequest, token: str) -> HttpResponse:
    """
    "This was not me", from the owner's message, without a login. Opening the page changes nothing: mail
    scanners open every link.
    """
    now = timezone.now()
    try:
        if request.method == "POST":
            share = completion.undo(token, by=caller(request), now=now)
        else:
            share = completion.shared_by_link(token)
    except Refused as refused:
        return render(request, "refused.html", {"refusal": refused.reason}, status=409)
    can_undo = share.state in (ShareState.ENFORCED, ShareState.PENDING)
    context = {"share": share, "can_undo": can_undo, "is_done": request.method == "POST"}
    return render(request, "sls/sharing/undo.html", context)


def _share_of(request: SignedInRequest, share_id: uuid.UUID) -> ShareRequest:
    share = queries.owned_share(share_id, request.user)
    if share is None:
        raise Http404
    return share
