"""The queue in the words and shapes of its page."""

import uuid
from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import get_language
from django.utils.translation import gettext as say

from portal.models import User
from sls.catalog import DeviceKind, shareable_kinds
from sls.models import ShareState
from sls.models.device import masked
from sls.review import ReviewReason, reviewers_of

from .queries import Counted, Row
from .rules import Asked, Order, Stage, due_on


class Line(NamedTuple):
    """A row of the table."""

    share_id: uuid.UUID
    since: str
    due: str
    is_overdue: bool
    reasons: str
    requester: str
    requester_entity: str
    owner: str
    owner_entity: str
    device: str
    serial: str
    claimer: str
    is_mine: bool
    is_free: bool
    reviewers: int
    state: str


class Tab(NamedTuple):
    """One of the lists, as a link."""

    label: str
    number: str
    query: str
    is_current: bool


def lines(rows: Iterable[Row], *, me: User, now: datetime) -> list[Line]:
    today = timezone.localdate(now)
    holidays = settings.HOLIDAYS
    language = get_language() or ""
    found = []
    for row in rows:
        waits = row.state == ShareState.PENDING
        since = timezone.localtime(row.submitted_at)
        due = due_on(since.date(), settings.REVIEW_BUSINESS_DAYS, holidays)
        found.append(
            Line(
                share_id=row.share_id,
                since=date_format(since, "DATETIME_FORMAT"),
                due=_day_in_words(due, language),
                is_overdue=waits and due < today,
                reasons=_in_words(tuple(row.reasons), language),
                requester=row.requester,
                requester_entity=row.requester_entity,
                owner=row.owner,
                owner_entity=row.owner_entity,
                device=_device(row.kind, language),
                serial=masked(row.serial),
                claimer=row.claimer or "",
                is_mine=row.claimed_by == me.pk,
                is_free=waits and row.claimed_by is None,
                reviewers=reviewers_of(row.reviewers),
                state=_state(row),
            )
        )
    return found


def _state(row: Row) -> str:
    if row.decision:
        return say("Approved") if row.decision == "approve" else say("Rejected")
    if row.state != ShareState.PENDING:
        return str(ShareState(row.state).label)
    if row.recommended_at:
        return say("Awaiting the checker")
    return say("Claimed") if row.claimed_by else say("Unclaimed")


@lru_cache(maxsize=1000)
def _in_words(codes: tuple[str, ...], language: str) -> str:
    """The words of reasons; what an older version of the rules wrote stays a bare code."""
    words = dict(ReviewReason.choices)
    return "; ".join(str(words.get(code, code)) for code in codes)


@lru_cache(maxsize=1000)
def _day_in_words(day: date, language: str) -> str:
    return date_format(day, "DATE_FORMAT")


@lru_cache(maxsize=100)
def _device(kind: str, language: str) -> str:
    return str(DeviceKind(kind).label)


def tabs(asked: Asked, counts: dict[Stage, Counted]) -> list[Tab]:
    """The lists, with how many requests each holds; what narrows one narrows the next."""
    return [
        Tab(
            str(stage.label),
            in_words(*counts[stage]) if stage in counts else "",
            asked.query(stage=stage, day=None),
            stage == asked.stage,
        )
        for stage in Stage
    ]


def in_words(number: int, is_more: bool) -> str:
    """A count that may have stopped."""
    return f"{number_format(number, force_grouping=True)}{'+' * is_more}"


def choices() -> dict[str, list[tuple[str, str]]]:
    """What the filters offer."""
    return {
        "reasons": [(code, str(label)) for code, label in ReviewReason.choices],
        "kinds": [(kind.value, str(kind.label)) for kind in shareable_kinds()],
        "orders": [(order.value, str(order.label)) for order in Order],
    }
