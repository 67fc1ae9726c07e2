"""
Signed links for messages: for one user, one purpose, until a time, and only while his password is the one
that it was. What such a link does changes the password, so that it works once.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

from portal.models import User


class Errand(StrEnum):
    NOT_ME = "sls.links.not_me"
    RESET = "sls.links.reset"


def token(user: User, errand: Errand, *, life: timedelta, now: datetime) -> str:
    until = int((now + life).timestamp())
    return signing.dumps([user.pk, until, _mark(user, errand)], salt=errand)


def user_of(link_token: str, errand: Errand, *, now: datetime) -> User | None:
    """The active, unlocked user whom a good link names; None for a forged, expired or used one."""
    try:
        pk, until, mark = signing.loads(link_token, salt=errand)
    except (signing.BadSignature, ValueError):
        return None
    usable = User.objects.select_related("entity").filter(is_active=True, locked_at__isnull=True)
    user = usable.filter(pk=pk).first() if until > now.timestamp() else None
    if user is None:
        return None
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]  # as the link's signature
    is_his = [constant_time_compare(mark, _mark(user, errand, key)) for key in keys]
    return user if any(is_his) else None


def _mark(user: User, errand: Errand, key: str | None = None) -> str:
    """What of the password stands in a link: nothing from which it could be guessed without our key."""
    text = f"{user.pk}|{user.password}"
    return salted_hmac(errand, text, secret=key, algorithm="sha256").hexdigest()[:32]
