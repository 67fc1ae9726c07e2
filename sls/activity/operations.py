"""Ending one's own sessions."""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from portal import audit
from portal.caller import Caller
from portal.models import BrowserSession
from portal.models.session import handle_of
from sls import events


@transaction.atomic(durable=True)
def end_session(handle: str, *, by: Caller, now: datetime) -> int:
    """End the caller's own session of this handle; how many ended (0 or 1)."""
    return _end(BrowserSession.objects.filter(user=by.user, handle=handle), by=by, now=now)


@transaction.atomic(durable=True)
def end_other_sessions(current_key: str | None, *, by: Caller, now: datetime) -> int:
    """End every session of the caller but the one he is in; how many."""
    mine = BrowserSession.objects.filter(user=by.user)
    return _end(mine.exclude(handle=handle_of(current_key or "")), by=by, now=now)


def _end(sessions: QuerySet[BrowserSession], *, by: Caller, now: datetime) -> int:
    ended, _details = sessions.delete()
    if ended:
        audit.record(event=events.SESSION_ENDED, by=by, subject=by.user, at=now, sessions=ended)
    return ended
