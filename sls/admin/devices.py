"""What staff see of devices, and what they do with them."""

import uuid
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from portal.admin import ReadOnly
from portal.admin_site import asks_or_does, demand
from portal.caller import caller
from portal.errors import Reason, Refused
from sls.access import freshly_proven
from sls.devices import operations, queries
from sls.devices.forms import COLUMNS, ImportForm, TakeAwayForm
from sls.devices.rules import card_rows
from sls.models import DeviceGrant, DeviceState, SecurityDevice

IMPORT = ["sls.add_securitydevice"]
PRINT = ["sls.view_securitydevice", "sls.print_code_card"]
REVOKE = ["sls.revoke_device"]


@admin.register(SecurityDevice)
class SecurityDeviceAdmin(ReadOnly):
    """The list; and pages to import devices, print a new card and revoke a device."""

    list_display = ("kind", "serial_masked", "state", "owner", "sharers", "created_at")
    list_display_links = ("kind", "serial_masked")
    list_filter = ("kind", "state")
    search_fields = ("=serial", "=grants__user__username")
    search_help_text = _("A whole serial number or username")
    fields = (
        *("kind", "serial_masked", "state", "owner", "sharers"),
        *("created_at", "full_access_until", "expires_at"),
    )
    rights: ClassVar = {"may_import": IMPORT, "may_print": PRINT, "may_revoke": REVOKE}
    show_full_result_count = False

    @admin.display(description=_("serial number"), ordering="serial")
    def serial_masked(self, device: SecurityDevice) -> str:
        return device.serial_masked

    @admin.display(description=_("owner"))
    def owner(self, device: SecurityDevice) -> str:
        return device.owner_name or say("in stock")  # type: ignore[attr-defined]

    @admin.display(description=_("shared with"))
    def sharers(self, device: SecurityDevice) -> int:
        return device.sharers  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> QuerySet[SecurityDevice]:
        return queries.sharing_counts().order_by("-created_at", "pk")

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, view: Any, name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"sls_securitydevice_{name}")

        return [
            page("import/", freshly_proven(self.import_page), "import"),
            page("<uuid:device_id>/print/", freshly_proven(self.print_page), "print"),
            page("<uuid:device_id>/revoke/", freshly_proven(self.revoke_page), "revoke"),
            *super().get_urls(),
        ]

    @asks_or_does
    def import_page(self, request: HttpRequest) -> HttpResponse:
        demand(request, IMPORT)
        posted = (request.POST, request.FILES) if request.method == "POST" else (None, None)
        form = ImportForm(*posted)
        refusal: Reason | None = None
        if form.is_valid():
            lines = form.cleaned_data["file"]
            try:
                count = operations.take_in(lines, by=caller(request), now=timezone.now())
                words = ngettext("%d device is imported.", "%d devices are imported.", count)
                messages.success(request, words % count)
                return redirect("admin:sls_securitydevice_changelist")
            except Refused as refused:
                refusal = refused.reason
        context = {"form": form, "refusal": refusal, "columns": COLUMNS}
        return self.own_page(request, "import", say("Import devices"), context)

    @asks_or_does
    def print_page(self, request: HttpRequest, device_id: uuid.UUID) -> HttpResponse:
        """GET asks first, for what POST shows is a secret and every look at it goes on record."""
        demand(request, PRINT)
        device = get_object_or_404(SecurityDevice, pk=device_id)
        context: dict[str, Any] = {"device": device}
        if request.method == "POST":
            try:
                cells = operations.print_card(device, by=caller(request), now=timezone.now())
                context |= {"rows": card_rows(cells), "is_popup": True}
            except Refused as refused:
                context["refusal"] = refused.reason
        return self.own_page(request, "print", say("Print a Security Code Card"), context)

    @asks_or_does
    def revoke_page(self, request: HttpRequest, device_id: uuid.UUID) -> HttpResponse:
        demand(request, REVOKE)
        device = get_object_or_404(SecurityDevice, pk=device_id)
        form = TakeAwayForm(request.POST if request.method == "POST" else None)
        refusal: Reason | None = None
        if form.is_valid():
            try:
                said, now = form.cleaned_data, timezone.now()
                done = operations.revoke(device, **said, by=caller(request), now=now)
                words = say("The device is revoked.") if done else say("It was revoked already.")
                messages.success(request, words)
                return redirect("admin:sls_securitydevice_changelist")
            except Refused as refused:
                refusal = refused.reason
        affected = queries.affected_by(device.pk, now=timezone.now())
        context = {
            "form": form,
            "device": device,
            "refusal": refusal,
            "affected": affected,
            "strands": any(row.is_stranded for row in affected),
            "is_revoked": device.state == DeviceState.REVOKED,
        }
        return self.own_page(request, "revoke", say("Revoke a device"), context)


@admin.register(DeviceGrant)
class DeviceGrantAdmin(ReadOnly):
    list_display = ("user", "device", "state", "is_borrowed", "granted_at", "ended_at")
    list_filter = ("state",)
    list_select_related = ("user", "device")
    search_fields = ("=user__username",)
    search_help_text = _("A whole username")
    fields = ("user", "device", "share", "state", "granted_at", "ended_at", "last_used_at")
    ordering = ("-granted_at", "-pk")
    show_full_result_count = False

    @admin.display(description=_("borrowed"), boolean=True)
    def is_borrowed(self, grant: DeviceGrant) -> bool:
        return grant.is_borrowed
