"""The last page: something broke, or the database has no time for us. No trace, and a reference."""

import sys

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

RETRY_AFTER = 5  # seconds
PLAIN = "<!DOCTYPE html><title>Error</title><h1>Something went wrong on our side</h1><p>%s</p>"


def broken(request: HttpRequest) -> HttpResponse:
    """
    Django calls this while it handles the exception, whether a view or a middleware raised it. A lock or
    statement time-out, "database is locked", a connection refused or cut off: the same request may well
    succeed a moment later, so the answer is 503 and says when.
    """
    error = sys.exc_info()[1]
    is_busy = isinstance(error, OperationalError | InterfaceError)
    context = {"reference": getattr(request, "id", ""), "brand": settings.BRAND}
    try:
        page: str = render_to_string("503.html" if is_busy else "500.html", context)
    except Exception:  # even the page is broken
        page = PLAIN % context["reference"]
    if is_busy:
        return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER)})
    return HttpResponse(page, status=500)
