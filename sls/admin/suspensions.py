"""How far a device reaches, and stopping or starting it for everybody at once."""

import uuid
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from portal.admin import ReadOnly
from portal.admin_site import asks_or_does, demand
from portal.caller import caller
from portal.errors import Reason, Refused
from sls.access import freshly_proven
from sls.devices.forms import TakeAwayForm
from sls.devices.queries import affected_by
from sls.models import SecurityDevice, Suspension
from sls.suspension import operations, queries

REACH = ["sls.view_securitydevice", "sls.view_suspension"]
SUSPEND = [*REACH, "sls.suspend_device"]
RESUME = [*REACH, "sls.resume_device"]


@admin.register(Suspension)
class SuspensionAdmin(ReadOnly):
    """The list; and for each device its reach, a page to suspend it and one to resume it."""

    list_display = ("suspended_at", "device", "suspended_by", "resumed_at", "resumed_by")
    list_filter = (("resumed_at", admin.EmptyFieldListFilter),)
    list_select_related = ("device", "suspended_by", "resumed_by")
    search_fields = ("=device__serial",)
    search_help_text = _("A whole serial number")
    fields = (
        *("device", "reason", "suspended_by", "suspended_at"),
        *("resumed_by", "resumed_at", "resume_reason"),
    )
    ordering = ("-suspended_at", "pk")
    show_full_result_count = False

    def get_urls(self) -> list[URLPattern]:
        def page(name: str, view: Any) -> URLPattern:
            guarded = self.admin_site.admin_view(view)
            return path(f"device/<uuid:device_id>/{name}/", guarded, name=f"sls_suspension_{name}")

        return [
            page("reach", self.reach_page),
            page("suspend", freshly_proven(self.suspend_page)),
            page("resume", freshly_proven(self.resume_page)),
            *super().get_urls(),
        ]

    @method_decorator(require_GET)
    def reach_page(self, request: HttpRequest, device_id: uuid.UUID) -> HttpResponse:
        demand(request, REACH)
        device = _device(device_id)
        context = {
            "device": device,
            "reached": queries.reach(device.pk, now=timezone.now()),
            "suspension": queries.open_suspension(device.pk),
        }
        return self.own_page(request, "reach", say("Who uses this device"), context)

    @asks_or_does
    def suspend_page(self, request: HttpRequest, device_id: uuid.UUID) -> HttpResponse:
        demand(request, SUSPEND)
        return self._change(request, device_id, suspends=True)

    @asks_or_does
    def resume_page(self, request: HttpRequest, device_id: uuid.UUID) -> HttpResponse:
        demand(request, RESUME)
        return self._change(request, device_id, suspends=False)

    def _change(
        self, request: HttpRequest, device_id: uuid.UUID, *, suspends: bool
    ) -> HttpResponse:
        device, now = _device(device_id), timezone.now()
        form = TakeAwayForm(request.POST if request.method == "POST" else None)
        refusal: Reason | None = None
        if form.is_valid():
            said, by = form.cleaned_data, caller(request)
            try:
                if suspends:
                    operations.suspend(device, **said, by=by, now=now)
                else:
                    operations.resume(device, reason=said["reason"], by=by, now=now)
                messages.success(request, say("It is done, and everybody concerned is told."))
                return redirect("admin:sls_suspension_reach", device.pk)
            except Refused as refused:
                refusal = refused.reason
        affected = affected_by(device.pk, now=now) if suspends else []
        context = {
            "device": device,
            "form": form,
            "refusal": refusal,
            "suspends": suspends,
            "affected": affected,
            "strands": any(row.is_stranded for row in affected),
        }
        title = say("Suspend for everybody") if suspends else say("Let the device work again")
        return self.own_page(request, "change", title, context)


def _device(device_id: uuid.UUID) -> SecurityDevice:
    return get_object_or_404(SecurityDevice.objects.defer("secret"), pk=device_id)
