"""Changing a password: whoever knows the old one ends with it."""

from datetime import datetime

from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction

from portal import audit, throttle
from portal.caller import Caller
from portal.errors import Refused
from portal.models import User
from portal.outbox.enqueue import enqueue, message
from sls import events

from .rules import PasswordRefusal


def change(*, old: str, new: str, by: Caller, now: datetime) -> User:
    """
    Change the caller's password. Every other session ends with the next request, and a message tells him.
    Raises Refused for a wrong old password, which counts like a failed login.
    """
    user = by.user
    assert user is not None, "the page needs a login"
    limits = [(throttle.PASSWORD_CHANGES_OF_USER, user.username)]
    with audit.refusals(event=events.PASSWORD_CHANGED, by=by, subject=user, at=now):
        if throttle.spend(limits, now=now):
            raise Refused(PasswordRefusal.TOO_MANY_ATTEMPTS)
        if not check_password(old, user.password):
            raise Refused(PasswordRefusal.WRONG_PASSWORD)
        encoded = make_password(new)  # slow, so outside the transaction
        return _change(user, encoded, by=by, now=now)


@transaction.atomic(durable=True)
def _change(user: User, encoded: str, *, by: Caller, now: datetime) -> User:
    unchanged = User.objects.filter(pk=user.pk, password=user.password, is_active=True)
    if not unchanged.update(password=encoded):
        raise Refused(PasswordRefusal.WRONG_PASSWORD)
    user.password = encoded
    throttle.clear([(throttle.PASSWORD_CHANGES_OF_USER, user.username)])
    enqueue([message(user=user, event="password_changed", fact=now.isoformat(), now=now)])
    audit.record(event=events.PASSWORD_CHANGED, by=by, subject=user, at=now)
    return user
