"""Phones and logins that clients denied: staff freeze, thaw or disable a phone, and close a case."""

import uuid
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _

from portal.admin import ReasonForm
from portal.admin_site import asks_or_does, demand
from portal.caller import caller
from portal.errors import Reason, Refused
from portal.models import User
from sls.access import freshly_proven
from sls.devices.forms import TakeAwayForm
from sls.models import Phone, PromptReport
from sls.phone import operations
from sls.phone.queries import affected_by, all_usernames_on
from sls.prompts import operations as prompts

from .with_reason import WithReason

FREEZE, RETIRE = ["sls.view_phone", "sls.freeze_phone"], ["sls.view_phone", "sls.retire_phone"]
HANDLE = ["sls.view_promptreport", "sls.handle_report"]


@admin.register(Phone)
class PhoneAdmin(WithReason):
    list_display = ("name", "platform", "usernames_shown", "state", "created_at", "frozen_at")
    list_filter = ("state", "platform")
    search_fields = ("=usernames__user__username",)
    search_help_text = _("A whole username")
    fields = ("name", "platform", "usernames_shown", "state", "created_at", "frozen_at", "ended_at")
    ordering = ("-created_at", "pk")
    show_full_result_count = False
    change_form_template = "admin/sls/phone/change_form.html"
    records_lists = False  # names of phones and usernames, nothing of a person

    @admin.display(description=_("usernames"))
    def usernames_shown(self, phone: Phone) -> str:
        return ", ".join(row.user.username for row in all_usernames_on([phone])) or "—"

    def get_urls(self) -> list[URLPattern]:
        def page(name: str, view: Any) -> URLPattern:
            guarded = self.admin_site.admin_view(freshly_proven(view))
            return path(f"<uuid:phone_id>/{name}/", guarded, name=f"sls_phone_{name}")

        return [
            page("freeze", self.freeze_page),
            page("thaw", self.thaw_page),
            page("disable", self.disable_page),
            *super().get_urls(),
        ]

    @asks_or_does
    def freeze_page(self, request: HttpRequest, phone_id: uuid.UUID) -> HttpResponse:
        demand(request, FREEZE)
        return self._ask(request, phone_id, say("Freeze the phone"), operations.freeze_by_staff)

    @asks_or_does
    def thaw_page(self, request: HttpRequest, phone_id: uuid.UUID) -> HttpResponse:
        demand(request, FREEZE)
        return self._ask(request, phone_id, say("Let the phone work again"), operations.thaw)

    @asks_or_does
    def disable_page(self, request: HttpRequest, phone_id: uuid.UUID) -> HttpResponse:
        demand(request, RETIRE)
        return self._ask(request, phone_id, say("Disable the phone"), operations.retire)

    def _ask(
        self, request: HttpRequest, phone_id: uuid.UUID, title: str, change: Any
    ) -> HttpResponse:
        """`change` takes something away, unless it is to thaw."""
        phone, now = get_object_or_404(Phone, pk=phone_id), timezone.now()
        takes_away = change is not operations.thaw
        make = TakeAwayForm if takes_away else ReasonForm
        form = make(request.POST if request.method == "POST" else None)
        refusal: Reason | None = None
        if form.is_valid():
            try:
                change(phone, **form.cleaned_data, by=caller(request), now=now)
                messages.success(request, say("It is done."))
                return redirect("admin:sls_phone_change", phone.pk)
            except Refused as refused:
                refusal = refused.reason
        rows = affected_by(phone, now=now)
        context = {
            "concerns": [row.username for row in rows],
            "affected": rows if takes_away else [],
            "strands": takes_away and any(row.is_stranded for row in rows),
        }
        return self.page(request, title, form, refusal=refusal, **context)


@admin.register(PromptReport)
class PromptReportAdmin(WithReason):
    """ "This was not me": somebody has the password of these users."""

    list_display = ("reported_at", "user", "address", "handled_at", "handled_by")
    list_filter = (("handled_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user", "handled_by")
    search_fields = ("=user__username",)
    search_help_text = _("A whole username")
    fields = ("user", "reported_at", "address", "browser", "handled_at", "handled_by", "note")
    ordering = ("-reported_at",)
    show_full_result_count = False
    change_form_template = "admin/sls/promptreport/change_form.html"

    def subject_of(self, row: PromptReport) -> User:
        return row.user

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(freshly_proven(self.handle_page))
        name = "sls_promptreport_handle"
        return [path("<int:report_id>/handle/", view, name=name), *super().get_urls()]

    @asks_or_does
    def handle_page(self, request: HttpRequest, report_id: int) -> HttpResponse:
        demand(request, HANDLE)
        rows = PromptReport.objects.select_related("user__entity", "prompt")
        report = get_object_or_404(rows, pk=report_id)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        refusal: Reason | None = None
        if form.is_valid():
            try:
                note = form.cleaned_data["reason"]
                prompts.handle_report(report, note=note, by=caller(request), now=timezone.now())
                messages.success(request, say("It is done."))
                return redirect("admin:sls_promptreport_changelist")
            except Refused as refused:
                refusal = refused.reason
        concerns = [report.user.username]
        return self.page(request, say("Close the case"), form, refusal=refusal, concerns=concerns)
