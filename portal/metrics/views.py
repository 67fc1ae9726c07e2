"""`/metrics`, for who has the token."""

import hmac

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from .page import CONTENT_TYPE, page


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Without METRICS_TOKEN there is no such page; with it, the token is asked for as a bearer's."""
    if not settings.METRICS_TOKEN:
        raise Http404
    wanted = f"Bearer {settings.METRICS_TOKEN}".encode()
    given = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(given, wanted):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(page(now=timezone.now()), content_type=CONTENT_TYPE)
