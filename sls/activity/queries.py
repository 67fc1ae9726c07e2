"""Where a user is logged in, and what happened on his username."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.events import PERSONAL_DATA_VIEWED
from portal.models import AuditEvent, BrowserSession, User
from portal.models.session import handle_of
from sls.browsers import browser_in_words
from sls.events import LOGIN_COMPLETED

from .rules import event_in_words

PAGE = 50


@dataclass(frozen=True)
class OpenSession:
    handle: str
    browser: str
    address: str
    started_at: datetime | None
    seen_at: datetime | None
    is_this_one: bool


def open_sessions(user: User, current_key: str | None) -> list[OpenSession]:
    """The user's sessions, this one first, then the last used. Those that end at their next request are none."""
    now = timezone.now()
    rows = BrowserSession.objects.filter(
        user=user,
        started_at__gt=now - settings.SESSION_LIFE,
        seen_at__gt=now - settings.SESSION_IDLE,
    )
    current = handle_of(current_key or "")
    found = [
        OpenSession(
            handle=row.handle,
            browser=browser_in_words(row.browser),
            address=row.address,
            started_at=row.started_at,
            seen_at=row.seen_at,
            is_this_one=row.handle == current,
        )
        for row in rows.order_by("-seen_at")
    ]
    return sorted(found, key=lambda session: not session.is_this_one)


@dataclass(frozen=True)
class Happening:
    """One line of the security history. `by` is empty when the user did it himself."""

    number: int
    at: datetime
    what: str
    by: str
    address: str
    device: str


def history(
    user: User, *, before: int | None = None, as_subject_only: bool = False
) -> list[Happening]:
    """
    The newest events that concern the user, at most a page, older than number `before`. That staff looked at
    his data is for auditors: an inquiry must not announce itself. What a member of staff does for others
    is not his colleagues' business: `as_subject_only` leaves it out.
    """
    concerning = Q(subject=user.username)
    if not as_subject_only:
        concerning |= Q(actor=user.username)
    events = AuditEvent.objects.filter(concerning).exclude(event=PERSONAL_DATA_VIEWED)
    if before is not None:
        events = events.filter(number__lt=before)
    return [_happening(event, user) for event in events.order_by("-number")[:PAGE]]


def _happening(event: AuditEvent, user: User) -> Happening:
    others = event.actor if event.actor != user.username else ""
    is_refused = "refused" in event.facts
    is_login = event.event == LOGIN_COMPLETED and not is_refused
    nobody = _("The person who logged in") if is_login else _("Somebody not logged in")
    return Happening(
        number=event.number,
        at=event.at,
        what=event_in_words(event.event, refused=is_refused),
        by=others or ("" if event.actor else nobody),
        # Where somebody else was is his business; where this username was used is the user's.
        address="" if others else event.address,
        device=str(event.facts.get("device", "")),
    )
