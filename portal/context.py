"""What every page's shell needs; nothing here asks the database."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, Any]:
    return {"brand": settings.BRAND, "demo_mode": settings.DEMO_MODE}
