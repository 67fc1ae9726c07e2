"""The support desk: one username on one page, with the bounded acts a role may do."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as say

from portal import accounts, audit, throttle
from portal.admin import ReadOnly
from portal.caller import caller
from portal.models import User
from portal.models.account import normalise_username
from sls.activity.queries import history
from sls.caller_check.queries import newest_checks
from sls.devices.queries import device_list
from sls.devices.rules import ends_soon, ways_in
from sls.models import ClientRecord, PhoneUser, PromptReport

EVENTS = 10


@admin.register(ClientRecord)
class ClientRecordAdmin(ReadOnly):
    """No list: a whole username is asked for, and only that one is shown."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.demand_view(request)
        typed = request.GET.get("q", "")
        if typed:
            found = ClientRecord.objects.filter(username=normalise_username(typed)).first()
            if found is not None:
                return redirect("admin:sls_clientrecord_change", found.pk)
        return self.own_page(request, "search", say("Support desk"), {"q": typed})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        self.demand_view(request)
        rows = ClientRecord.objects.select_related("entity").defer("password")
        key = object_id if object_id.isdecimal() and len(object_id) < 19 else None
        record = get_object_or_404(rows, pk=key)
        now = timezone.now()
        audit.viewed(subject=record, what="support desk page", by=caller(request), at=now)
        return self.own_page(request, "record", record.username, _what_is_known(record))


def _what_is_known(record: User) -> dict[str, Any]:
    """Everything the page shows, in as many queries whatever the number of devices and events."""
    now = timezone.now()
    rows = device_list(record, now=now)
    ways = ways_in([row.mine for row in rows])
    limits = [(limit, record.username) for limit in accounts.FAILURES]
    phones = PhoneUser.objects.filter(user=record, is_active=True).select_related("phone")
    return {
        "account": record,
        "rows": rows,
        "ways": ways,
        "ending": ends_soon(ways, now),
        "phones": phones.order_by("activated_at", "pk"),
        "used_up": throttle.used_up(limits, now=now),
        "reports": PromptReport.objects.filter(user=record, handled_at__isnull=True).exists(),
        "checks": newest_checks(record),
        "history": history(record, as_subject_only=record.is_staff)[:EVENTS],
    }
