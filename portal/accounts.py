"""Staff lock a username and unlock it again: no login, no session, no reset in between."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from portal import audit, events, throttle
from portal.caller import Caller
from portal.errors import Reason, Refused
from portal.models import BrowserSession, User
from portal.outbox.enqueue import enqueue, message

# What locks a username by itself; an unlock forgets it.
FAILURES = (throttle.PASSWORD_OF_NAME, throttle.SECOND_FACTOR_OF_USER)


class AccountRefusal(Reason):
    OWN_PERSON = (
        "own_person",
        _("This username is your own"),
        _("You, or another username of yours, stand behind it."),
        _("Ask a colleague: nobody decides about himself."),
    )
    STAFF_USERNAME = (
        "staff_username",
        _("This username belongs to staff"),
        _("Usernames of staff are locked and unlocked by an administrator."),
        _("Ask an administrator."),
    )
    TOO_MANY_UNLOCKS = (
        "too_many_unlocks",
        _("Too many unlocks"),
        _("You have unlocked as many usernames as one day allows."),
        _("Ask a colleague, or try again tomorrow."),
    )


def lock(user: User, *, reason: str, by: Caller, now: datetime) -> bool:
    """
    End every session of the user and refuse his logins, with the public answer to a wrong password. False
    when he was locked already. Raises Refused.
    """
    with audit.refusals(event=events.USER_LOCKED, by=by, subject=user, at=now):
        _refuse_own_and_staff(user, by)
        return _lock(user, reason=reason, by=by, now=now)


@transaction.atomic(durable=True)
def _lock(user: User, *, reason: str, by: Caller, now: datetime) -> bool:
    if not User.objects.filter(pk=user.pk, locked_at__isnull=True).update(locked_at=now):
        return False
    BrowserSession.objects.filter(user=user).delete()
    enqueue([message(user=user, event="user_locked", fact=now.isoformat(), now=now)])
    audit.record(event=events.USER_LOCKED, by=by, subject=user, at=now, reason=reason)
    return True


def unlock(user: User, *, reason: str, by: Caller, now: datetime) -> None:
    """
    Let the user log in again: the lock goes, and so do the failures that lock by themselves. Raises Refused.
    """
    with audit.refusals(event=events.USER_UNLOCKED, by=by, subject=user, at=now):
        _refuse_own_and_staff(user, by)
        if throttle.spend([(throttle.UNLOCKS_BY_STAFF, by.username)], now=now):
            raise Refused(AccountRefusal.TOO_MANY_UNLOCKS)
        _unlock(user, reason=reason, by=by, now=now)


@transaction.atomic(durable=True)
def _unlock(user: User, *, reason: str, by: Caller, now: datetime) -> None:
    User.objects.filter(pk=user.pk).update(locked_at=None)
    BrowserSession.objects.filter(user=user).delete()  # one that came to be beside the lock
    throttle.clear([(limit, user.username) for limit in FAILURES])
    enqueue([message(user=user, event="user_unlocked", fact=now.isoformat(), now=now)])
    audit.record(event=events.USER_UNLOCKED, by=by, subject=user, at=now, reason=reason)


def _refuse_own_and_staff(user: User, by: Caller) -> None:
    assert by.user is not None, "the admin's pages need a login"
    if by.user.entity.may_be_same_person_as(user.entity):
        raise Refused(AccountRefusal.OWN_PERSON)
    if user.is_staff and not by.user.is_superuser:
        raise Refused(AccountRefusal.STAFF_USERNAME)
