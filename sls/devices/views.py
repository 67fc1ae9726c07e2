"""The Secure Login System page: the device list, or without any active device the enrolment menu."""

from functools import lru_cache
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from portal.caller import SignedInRequest
from sls.access import proven_or_new
from sls.catalog import DeviceKind, shareable_kinds, traits
from sls.models import GrantState

from .queries import DeviceRow, device_list


@require_GET
@proven_or_new
def secure_login(request: SignedInRequest) -> HttpResponse:
    rows = device_list(request.user, now=timezone.now())
    pending = [row for row in rows if row.mine.state == GrantState.PENDING]
    context: dict[str, Any] = {"pending": pending, "pending_items": len(pending)}
    if not any(row.mine.state == GrantState.ACTIVE for row in rows):
        return render(request, "sls/enrolment/menu.html", context)
    language = get_language() or ""
    context["cards"] = [_card(number, row, language) for number, row in enumerate(rows, 1)]
    context["links"] = [
        {
            "label": _("Request Online (Temporary) Security Code Card"),
            "url": reverse("enrol_card"),
        }
    ]
    if any(row.kind == DeviceKind.IB_KEY for row in rows):
        settings_link = {"label": _("Secure Login Settings"), "url": reverse("phone_own")}
        context["links"].append(settings_link)
    context["prerequisites_met"] = _prerequisites(rows)
    context["own_level"] = max(
        row.traits.level for row in rows if row.mine.state != GrantState.PENDING
    )
    context["levels"] = [
        {"label": traits(kind).level_label, "name": kind.label, "kind": kind}
        for kind in shareable_kinds()
    ]
    return render(request, "sls/devices/list.html", context)


@lru_cache(maxsize=4096)
def _card(number: int, row: DeviceRow, language: str) -> SafeString:
    """A device's card, kept: rendering it anew takes longer than reading its row."""
    context = {"device": row, "actions": _actions(row), "card_id": str(number)}
    return render_to_string("components/device_card.html", context)


def _actions(row: DeviceRow) -> list[dict[str, str]]:
    """What makes sense for a device now: a pending request's status, or the end of a sharing."""
    if row.mine.state == GrantState.PENDING:
        url = reverse("sharing:status", args=[row.mine.share_id])
        return [{"label": _("Show status"), "url": url}]
    if row.mine.is_borrowed:
        url = reverse("sharing:cancel", args=[row.mine.share_id])
        return [{"label": _("Cancel Sharing"), "url": url}]
    return [
        {
            "label": _("Cancel Sharing with %(name)s") % {"name": other.username},
            "url": reverse("sharing:cancel", args=[other.share_id]),
        }
        for other in row.others
        if other.state == GrantState.ACTIVE
    ]


def _prerequisites(rows: list[DeviceRow]) -> dict[str, bool]:
    """What of the prerequisites can be told before anybody else is named."""
    met = {
        "no_temporary": not any(row.traits.is_temporary for row in rows),
        "lends_nothing": not any(row.shared_with and not row.mine.is_borrowed for row in rows),
        "borrows_nothing": not any(
            row.mine.is_borrowed and row.mine.state != GrantState.PENDING for row in rows
        ),
    }
    return met | {"all": all(met.values())}
