"""What staff see of devices and shares, and what they do with devices."""

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from portal.admin import ReadOnly
from portal.caller import caller
from portal.errors import Reason, Refused
from sls.devices import operations, queries
from sls.devices.forms import COLUMNS, ImportForm, RevokeForm
from sls.models import DeviceGrant, DeviceState, SecurityDevice, ShareRequest
from sls.sharing.rules import ReviewReason, ShareRefusal

CARD_COLUMNS = 8
IMPORT = "sls.add_securitydevice"
PRINT = ("sls.view_securitydevice", "sls.print_code_card")
REVOKE = "sls.revoke_device"

Page = Callable[..., HttpResponse]


def needs(*permissions: str) -> Callable[[Page], Page]:
    """For pages of the admin's own making: GET shows and POST does, and both ask for `permissions`."""

    def decorate(page: Page) -> Page:
        @wraps(page)
        def guarded(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.has_perms(permissions):  # type: ignore[union-attr]
                raise PermissionDenied
            return require_http_methods(["GET", "POST"])(page.__get__(self))(
                request, *args, **kwargs
            )

        return guarded

    return decorate
