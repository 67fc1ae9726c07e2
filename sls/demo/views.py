"""The demo page: the cast, its devices to be held in the hand, and the messages it got."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from sls.catalog import DeviceKind

from . import cast
from .queries import delivered_messages


@require_GET
def demo(request: HttpRequest) -> HttpResponse:
    context = {
        "users": cast.as_json()["users"],
        "dsc_devices": [d for d in cast.DEVICES if d.kind == DeviceKind.DSC_PLUS],
        "cards": [d for d in cast.DEVICES if d.kind == DeviceKind.CODE_CARD],
        "codes": [d for d in cast.DEVICES if d.kind == DeviceKind.TEMPORARY_CODE],
        "messages_delivered": delivered_messages(),
    }
    return render(request, "sls/demo/demo.html", context)
