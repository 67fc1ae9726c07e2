"""Receipts of SMS providers. They have neither cookies nor tokens of ours: their signature is their proof."""

import uuid

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from . import receipts
from .channels.providers.base import BadSignature, Unreadable


@csrf_exempt
@require_POST
def receipt(request: HttpRequest, provider: str, message_id: uuid.UUID) -> HttpResponse:
    """204 for what is taken in, now or before; 403, 400 and 404 for what is not ours to believe."""
    try:
        known = receipts.take(
            provider, message_id, headers=request.headers, body=request.body, now=timezone.now()
        )
    except BadSignature:
        return HttpResponse(status=403)
    except (Unreadable, RequestDataTooBig):
        return HttpResponse(status=400)
    return HttpResponse(status=204 if known else 404)
