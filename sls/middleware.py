"""django-otp's middleware with one query less."""

from collections.abc import Callable
from typing import Any, cast

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.db.models import BigIntegerField, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.functional import SimpleLazyObject
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.middleware import OTPMiddleware

from portal.compiled import compiled
from sls.models import DeviceGrant, DeviceState, GrantState


@compiled(pk=BigIntegerField())
def _grant_and_user(pk: Any) -> QuerySet[DeviceGrant]:
    active = DeviceGrant.objects.filter(pk=pk, user__is_active=True, user__locked_at__isnull=True)
    return active.select_related("user__entity", "device").defer("device__secret")


class VerifiedUser(OTPMiddleware):
    """
    Loads a verified session's user, his Entity and his grant in one query instead of two.

    A grant that sleeps, or whose device is suspended, un-verifies the session; one that has ended, or whose
    device has expired, ends it. Whatever else is not exactly in order (no grant, another user's, a deactivated
    or locked user, a changed password) goes the long way through Django and django-otp, which end it too.
    """

    def _install_lazy_accessors(self, request: HttpRequest) -> None:
        super()._install_lazy_accessors(request)
        the_long_way = request.user
        request.user = cast(
            Any, SimpleLazyObject(lambda: self._in_one_query(request) or the_long_way)
        )

    def _in_one_query(self, request: HttpRequest) -> Any:
        persistent_id = request.session.get(DEVICE_ID_SESSION_KEY, "")
        label, _, grant_id = persistent_id.rpartition("/")
        if label != DeviceGrant.model_label() or not grant_id.isdigit():
            return None
        grant = _grant_and_user.first(pk=grant_id)
        if grant is None or str(grant.user_id) != request.session.get(SESSION_KEY):
            return None
        user = grant.user
        known_hash = request.session.get(HASH_SESSION_KEY, "")
        if not constant_time_compare(known_hash, user.get_session_auth_hash()):
            return None
        if grant.state == GrantState.ENDED or grant.device.has_expired(timezone.now()):
            request.session.flush()
            user = AnonymousUser()
        self._init_user_fields(user)
        is_working = grant.device.state == DeviceState.ACTIVE
        user.otp_device = grant if grant.confirmed and is_working else None
        return user


class NoCookies:
    """
    The phone app's interface knows phones by their signatures. What a browser sends along of its own accord
    is taken away before anything looks at it, so a page of somebody else can do nothing there in anybody's name.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/phone/api/"):
            request.META.pop("HTTP_COOKIE", None)
            request.COOKIES = {}
        return self.get_response(request)
