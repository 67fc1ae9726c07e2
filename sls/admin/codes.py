"""Temporary Codes: staff ask, confirm and read out; each act behind a freshly proven device."""

import uuid
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from portal.admin import ReadOnly
from portal.admin_site import asks_or_does, demand
from portal.caller import caller
from portal.errors import Reason, Refused
from sls.access import freshly_proven
from sls.codes import in_groups
from sls.models import IdentityCheck, TemporaryCodeRequest
from sls.temporary_code import operations, queries
from sls.temporary_code.forms import CodeRequestForm

REQUEST = ["sls.request_temporary_code"]
CONFIRM = ["sls.confirm_temporary_code"]


@admin.register(TemporaryCodeRequest)
class TemporaryCodeRequestAdmin(ReadOnly):
    """The list; and pages to ask for a code, to decide, and to read a code out."""

    list_display = ("made_at", "state", "user", "identity_check", "made_by", "decided_by")
    list_filter = ("state", "identity_check")
    list_select_related = ("user", "made_by", "decided_by")
    search_fields = ("=user__username", "=made_by__username")
    search_help_text = _("A whole username")
    fields = (
        "state",
        "user",
        "identity_check",
        "identity_note",
        "reason",
        ("made_by", "made_at"),
        "expires_at",
        ("decided_by", "decided_at"),
        "revealed_at",
        "device",
    )
    rights: ClassVar = {"may_request": REQUEST, "may_confirm": CONFIRM}
    ordering = ("-made_at", "pk")
    show_full_result_count = False

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, view: Any, name: str) -> URLPattern:
            guarded = self.admin_site.admin_view(freshly_proven(view))
            return path(route, guarded, name=f"sls_temporarycoderequest_{name}")

        return [
            page("request/", self.request_page, "request"),
            page("<uuid:request_id>/decide/", self.decide_page, "decide"),
            page("<uuid:request_id>/reveal/", self.reveal_page, "reveal"),
            *super().get_urls(),
        ]

    @asks_or_does
    def request_page(self, request: HttpRequest) -> HttpResponse:
        demand(request, REQUEST)
        form = CodeRequestForm(
            request.POST if request.method == "POST" else None,
            initial={"username": request.GET.get("username", "")[:100]},
        )
        refusal: Reason | None = None
        if form.is_valid():
            what = form.cleaned_data
            try:
                operations.request(
                    username=what["username"],
                    identity_check=IdentityCheck(what["identity_check"]),
                    identity_note=what["identity_note"],
                    reason=what["reason"],
                    by=caller(request),
                    now=timezone.now(),
                )
                messages.success(request, say("A colleague must confirm the request now."))
                return redirect("admin:sls_temporarycoderequest_changelist")
            except Refused as refused:
                refusal = refused.reason
        title = say("Ask for a Temporary Code")
        return self.own_page(request, "request", title, {"form": form, "refusal": refusal})

    @asks_or_does
    def decide_page(self, request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
        demand(request, CONFIRM)
        asked = _found(request_id)
        refusal: Reason | None = None
        if request.method == "POST":
            is_agreed = "confirm" in request.POST
            decide = operations.confirm if is_agreed else operations.decline
            try:
                decide(asked, by=caller(request), now=timezone.now())
                words = say("The request is confirmed.") if is_agreed else say("It is declined.")
                messages.success(request, words)
                return redirect("admin:sls_temporarycoderequest_changelist")
            except Refused as refused:
                refusal = refused.reason
        context = {"asked": asked, "refusal": refusal}
        return self.own_page(request, "decide", say("Decide about a Temporary Code"), context)

    @asks_or_does
    @method_decorator(sensitive_variables("code", "context"))
    def reveal_page(self, request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
        """GET asks first, for POST shows the code, and shows it once."""
        demand(request, REQUEST)
        asked = _found(request_id)
        context: dict[str, Any] = {"asked": asked}
        if request.method == "POST":
            try:
                code = operations.reveal(asked, by=caller(request), now=timezone.now())
                context |= {"code": in_groups(code), "is_popup": True}
            except Refused as refused:
                context["refusal"] = refused.reason
        return self.own_page(request, "reveal", say("Read a Temporary Code out"), context)


def _found(request_id: uuid.UUID) -> TemporaryCodeRequest:
    asked = queries.request(request_id)
    if asked is None:
        raise Http404
    return asked
