"""
The admin site: Django's own, opened only by a proven device that is strong enough for staff; and what guards
a page of it.
"""

from collections.abc import Callable, Collection
from typing import Any, cast

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, resolve, reverse
from django.utils.decorators import method_decorator
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods
from django.views.generic import RedirectView

asks_or_does = method_decorator(require_http_methods(["GET", "POST"]))


def freshly_proven(view: Callable[..., Any]) -> Callable[..., Any]:
    """For staff pages of this floor: the decorator of an upper one that `STEP_UP` names."""
    decorated: Callable[..., Any] = import_string(settings.STEP_UP)(view)
    return decorated


def demand(request: HttpRequest, permissions: Collection[str]) -> None:
    """Raises PermissionDenied, which the site answers with 403."""
    if not request.user.has_perms(permissions):
        raise PermissionDenied


def _to(name: str) -> Callable[..., Any]:
    return RedirectView.as_view(pattern_name=name)


class PortalAdminSite(admin.AdminSite):
    site_header = site_title = _("Client Portal administration")

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff, active, and verified in this very session by a device that admits staff."""
        user = request.user
        if not (user.is_active and user.is_staff and user.is_verified()):
            return False
        return bool(user.otp_device.device.traits.admits_staff)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The portal's own login; the admin has none, so no page of it opens to a bare password."""
        goal = request.GET.get("next", reverse("admin:index"))
        if request.user.is_authenticated:
            return redirect("home")
        return redirect_to_login(goal, login_url=f"{reverse('login')}")

    def get_urls(self) -> list[Any]:
        """The portal's own pages stand in for Django's: log out, and change the password."""
        return [
            path("logout/", self.admin_view(self.portal_logout), name="logout"),
            path("password_change/", self.admin_view(_to("settings:password"))),
            path("password_change/done/", self.admin_view(_to("settings:user"))),
            *super().get_urls(),
        ]

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        """No form of ours asks for it, and it would list names that nobody's look at is recorded."""
        raise PermissionDenied

    def portal_logout(self, request: HttpRequest) -> HttpResponse:
        return cast(HttpResponse, resolve(reverse("logout")).func(request))
