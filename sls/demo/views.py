"""The demo page: the cast, its devices to be held in the hand, and the messages it got."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from sls.catalog import DeviceKind

from . import cast
from .queries import delivered_messages


@require_GET
def demo(request: HttpRequest) -> HttpResponse:
    """
    `?hold=<serial>` takes another DSC+ into the hand than the owner's, `?messages=2` turns to the page of
    older messages.
    """
    wanted = request.GET.get("hold", "")
    by_serial = {d.serial: d for d in cast.DEVICES if d.kind == DeviceKind.DSC_PLUS}
    page = request.GET.get("messages", "1")
    number = int(page) if page.isdecimal() and 0 < len(page) < 4 else 1
    messages, has_older = delivered_messages(max(number, 1))
    context = {
        "users": [
            user
            | {"dsc": next((s for s in by_serial if by_serial[s].user == user["username"]), "")}
            for user in cast.as_json()["users"]
        ],
        "dsc": by_serial.get(wanted) or next(iter(by_serial.values())),
        "cards": [d for d in cast.DEVICES if d.kind == DeviceKind.CODE_CARD],
        "codes": [d for d in cast.DEVICES if d.kind == DeviceKind.TEMPORARY_CODE],
        "messages_delivered": messages,
        "older": number + 1 if has_older else None,
    }
    return render(request, "sls/demo/demo.html", context)


@require_GET
def card(request: HttpRequest, serial: str) -> HttpResponse:
    """A printed card as plain text: an index and its value a line."""
    cards = (d for d in cast.DEVICES if d.kind == DeviceKind.CODE_CARD and d.serial == serial)
    found = next(cards, None)
    if found is None:
        raise Http404
    lines = [f"{index} {value}\n" for index, value in found.cells.items()]
    return HttpResponse("".join(lines), content_type="text/plain; charset=utf-8")
