"""Ending one's own sessions, and the link "This was not me"."""

from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import F, QuerySet

from portal import audit
from portal.caller import Caller
from portal.errors import Refused
from portal.models import BrowserSession, User
from portal.models.session import handle_of
from portal.outbox.enqueue import enqueue, message
from sls import events, links

from .rules import LinkRefusal


@transaction.atomic(durable=True)
def end_session(handle: str, *, by: Caller, now: datetime) -> int:
    """End the caller's own session of this handle; how many ended (0 or 1)."""
    return _end(BrowserSession.objects.filter(user=by.user, handle=handle), by=by, now=now)


@transaction.atomic(durable=True)
def end_other_sessions(current_key: str | None, *, by: Caller, now: datetime) -> int:
    """End every session of the caller but the one he is in; how many."""
    mine = BrowserSession.objects.filter(user=by.user)
    return _end(mine.exclude(handle=handle_of(current_key or "")), by=by, now=now)


def disowned_by_link(token: str, *, now: datetime) -> User:
    """Whose login the link of a message would disown. Raises Refused for a link that is over."""
    user = links.user_of(token, links.Errand.NOT_ME, now=now)
    if user is None:
        raise Refused(LinkRefusal.LINK_OVER)
    return user


@transaction.atomic(durable=True)
def disown(token: str, *, by: Caller, now: datetime) -> User:
    """
    "This was not me": every session ends, no browser is known any more, and the password is gone, so that
    the next login needs a new one (by the reset, whose second factor a thief has not got). The link is bound
    to the password, and so it works once. Raises Refused.
    """
    user = disowned_by_link(token, now=now)
    as_read = User.objects.filter(pk=user.pk, password=user.password)
    if not as_read.update(password=make_password(None), browser_epoch=F("browser_epoch") + 1):
        raise Refused(LinkRefusal.LINK_OVER)
    BrowserSession.objects.filter(user=user).delete()
    enqueue([message(user=user, event="login_disowned", fact=now.isoformat(), now=now)])
    audit.record(event=events.LOGIN_DISOWNED, by=by, subject=user, at=now)
    return user


def _end(sessions: QuerySet[BrowserSession], *, by: Caller, now: datetime) -> int:
    ended, _details = sessions.delete()
    if ended:
        audit.record(event=events.SESSION_ENDED, by=by, subject=by.user, at=now, sessions=ended)
    return ended
