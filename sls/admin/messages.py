"""
Messages: states, the story of each, and sending one again; here, as that asks for a freshly proven device.
"""

import uuid
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _

from portal.admin import ReadOnly, ReasonForm
from portal.admin_site import asks_or_does, demand
from portal.caller import caller
from portal.errors import Reason, Refused
from portal.models import OutboxMessage, SmsProvider
from portal.outbox import queries, resending
from sls.access import freshly_proven

from .with_reason import WithReason

RESEND = ["portal.view_outboxmessage", "portal.resend_outboxmessage"]


@admin.register(OutboxMessage)
class OutboxMessageAdmin(WithReason):
    list_display = (
        *("created_at", "event", "user", "channel", "target", "state", "receipt"),
        *("attempts", "provider", "sent_at", "maybe_twice"),
    )
    list_filter = ("state", "receipt", "channel", "purpose", "urgency", "maybe_twice")
    linked_by = ("created_at",)
    list_select_related = ("user",)
    search_fields = ("=user__username", "=event", "=gateway_id")
    search_help_text = _("A whole username, event or id at the gateway")
    fields = (
        ("event", "purpose", "urgency"),
        ("user", "channel", "target", "country", "language"),
        ("state", "receipt", "receipt_at", "maybe_twice", "last_error"),
        ("attempts", "next_try_at", "expires_at", "created_at", "sent_at"),
        ("provider", "gateway_id", "idempotency_key"),
        ("template_version", "encoding", "segments", "cost_units"),
    )
    ordering = ("-created_at", "pk")
    show_full_result_count = False

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view(freshly_proven(self.resend_page))
        name = "portal_outboxmessage_resend"
        return [path("<uuid:message_id>/resend/", guarded, name=name), *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context: dict[str, Any] = dict(extra_context or {})
        row = self.get_object(request, object_id)
        if row is not None and self.has_view_permission(request, row):
            why = resending.refusal(row, now=timezone.now())
            may = request.user.has_perms(RESEND)  # type: ignore[union-attr]
            context |= {"timeline": queries.timeline(row)}
            context |= {"may_resend": may and why is None, "no_resend": why if may else None}
        return super().change_view(request, object_id, form_url, context)

    @asks_or_does
    def resend_page(self, request: HttpRequest, message_id: uuid.UUID) -> HttpResponse:
        demand(request, RESEND)
        rows = OutboxMessage.objects.select_related("user__entity")
        row = get_object_or_404(rows, pk=message_id)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        refusal: Reason | None = None
        if form.is_valid():
            reason = form.cleaned_data["reason"]
            try:
                resending.send_again(row, reason=reason, by=caller(request), now=timezone.now())
                messages.success(request, say("The message is in the queue again."))
                return redirect("admin:portal_outboxmessage_change", row.pk)
            except Refused as refused:
                refusal = refused.reason
        title = say("Send a message again")
        return self.page(
            request, title, form, refusal=refusal, concerns=[row.user.username, row.target]
        )


@admin.register(SmsProvider)
class SmsProviderAdmin(ReadOnly):
    list_display = ("name", "failures", "failed_at", "rests_until", "answer")
    fields = list_display
    ordering = ("name",)
    show_full_result_count = False
