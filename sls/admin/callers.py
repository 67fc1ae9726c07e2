"""Caller checks: the desk asks a client's device and types what the caller says."""

import uuid
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _

from portal.admin import ReadOnly
from portal.admin_site import asks_or_does, demand
from portal.caller import caller
from portal.errors import Reason, Refused
from portal.models import User
from sls.access import freshly_proven
from sls.caller_check import operations, queries
from sls.caller_check.forms import AskForm, SaidForm
from sls.catalog import Element
from sls.models import CallerCheck, CheckState

CHECK = ["sls.check_caller"]


@admin.register(CallerCheck)
class CallerCheckAdmin(ReadOnly):
    """The list; and pages to ask a client's device and to type the response."""

    list_display = ("made_at", "user", "state", "ticket", "made_by", "ended_at")
    list_filter = ("state",)
    list_select_related = ("user", "made_by")
    search_fields = ("=user__username", "=made_by__username", "=ticket")
    search_help_text = _("A whole username or ticket number")
    fields = (
        *("user", "device", "state", "ticket", "reason"),
        *("made_by", "made_at", "expires_at", "ended_at"),
    )
    ordering = ("-made_at", "pk")
    show_full_result_count = False

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, view: Any, name: str) -> URLPattern:
            guarded = self.admin_site.admin_view(freshly_proven(view))
            return path(route, guarded, name=f"sls_callercheck_{name}")

        return [
            page("ask/<int:user_id>/", self.ask_page, "ask"),
            page("<uuid:check_id>/answer/", self.answer_page, "answer"),
            *super().get_urls(),
        ]

    @asks_or_does
    def ask_page(self, request: HttpRequest, user_id: int) -> HttpResponse:
        demand(request, CHECK)
        user = get_object_or_404(User.objects.select_related("entity"), pk=user_id)
        now = timezone.now()
        devices = [(str(d.pk), str(d)) for d in queries.askable_devices(user, now=now)]
        form = AskForm(request.POST if request.method == "POST" else None, devices=devices)
        refusal: Reason | None = None
        if form.is_valid():
            said = form.cleaned_data
            try:
                check = operations.ask(
                    user,
                    device_id=uuid.UUID(said["device"]),
                    ticket=said["ticket"],
                    reason=said["reason"],
                    by=caller(request),
                    now=now,
                )
                return redirect("admin:sls_callercheck_answer", check.pk)
            except Refused as refused:
                refusal = refused.reason
        context = {"account": user, "devices": devices, "form": form, "refusal": refusal}
        return self.own_page(request, "ask", say("Check the caller"), context)

    @asks_or_does
    def answer_page(self, request: HttpRequest, check_id: uuid.UUID) -> HttpResponse:
        demand(request, CHECK)
        check, by, now = _found(check_id), caller(request), timezone.now()
        posted = request.method == "POST"
        form = SaidForm(request.POST if posted else None)
        context: dict[str, Any] = {"form": form}
        try:
            if posted and "none" in request.POST:
                operations.give_up(check, by=by, now=now)
            elif form.is_valid():
                operations.judge(check, response=form.cleaned_data["response"], by=by, now=now)
        except Refused as refused:
            context["refusal"] = refused.reason
        if form.is_bound:
            check = _found(check_id)
        result, challenge = queries.state_now(check, now=now), check.challenge
        # Whoever did not ask sees the result only, never the challenge.
        is_mine = challenge is not None and challenge.session == by.session
        context |= {
            "check": check,
            "result": result,
            "is_open": result == CheckState.WAITING and is_mine,
            "is_index": check.device.traits.element is Element.INDEX_NUMBERS,
        }
        return self.own_page(request, "answer", say("Check the caller"), context)


def _found(check_id: uuid.UUID) -> CallerCheck:
    check = queries.check(check_id)
    if check is None:
        raise Http404
    return check
