"""
The desk in numbers: a fixed number of queries. Counts of what waits stop at a number; what happened is read
by index for the last days only.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from django.db.models import (
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    Q,
    QuerySet,
)
from django.db.models.functions import TruncDate
from django.utils import timezone

from compliance.models import PendingShare, ReviewCase
from portal import throttle
from portal.capped import CountUpTo
from portal.models import Allowance, MessageState, OutboxMessage, User
from sls.models import ShareRequest, ShareState
from sls.sharing.queries import overdue_before

from .rules import DAYS, rank

MOST = 10_000  # counted; more are "10,000+"
FAILURES_REACH = timedelta(days=7)
LOCKS_SHOWN = 500
SUBMITTED = [  # states of a share that got as far as to be submitted
    *(ShareState.PENDING, ShareState.ENFORCED),
    *(ShareState.REJECTED, ShareState.CANCELLED),
]


class Numbers(NamedTuple):
    """`by_day` counts decisions by day and verdict; a time is None when nothing was decided."""

    waiting: int
    overdue: int
    failures: int
    locked_users: int
    locked_factors: int
    automatic: int
    submitted: int
    by_day: Mapping[tuple[date, str], int]
    median: timedelta | None
    nine_of_ten: timedelta | None

    @property
    def decided(self) -> int:
        return sum(self.by_day.values())


class Lock(NamedTuple):
    """A username that may not answer with its devices until then."""

    username: str
    until: datetime


def numbers(*, now: datetime) -> Numbers:
    """Five queries."""
    since = first_moment(now)
    waiting = PendingShare.objects.filter(state=ShareState.PENDING)
    failed = OutboxMessage.objects.filter(
        state=MessageState.FAILED, created_at__gte=now - FAILURES_REACH
    )
    counted = User.objects.order_by("pk").values_list(
        CountUpTo(waiting, MOST),
        CountUpTo(waiting.filter(submitted_at__lt=overdue_before(now)), MOST),
        CountUpTo(failed, MOST),
        CountUpTo(User.objects.filter(locked_at__isnull=False), MOST),
        CountUpTo(_locks(now), MOST),
    )
    waits, overdue, failures, locked_users, locked_factors = counted.first() or (0, 0, 0, 0, 0)
    shares = ShareRequest.objects.filter(state__in=SUBMITTED, submitted_at__gte=since).aggregate(
        all=Count("pk"), automatic=Count("pk", filter=Q(approved_at=F("submitted_at")))
    )
    by_day = _by_day(since)
    count = sum(by_day.values())
    return Numbers(
        waiting=waits,
        overdue=overdue,
        failures=failures,
        locked_users=locked_users,
        locked_factors=locked_factors,
        automatic=shares["automatic"],
        submitted=shares["all"],
        by_day=by_day,
        median=_time_taken(since, rank(count, 50)),
        nine_of_ten=_time_taken(since, rank(count, 90)),
    )


def first_moment(now: datetime) -> datetime:
    """From when on the last days are counted."""
    begin = timezone.localdate(now) - timedelta(days=DAYS - 1)
    return timezone.make_aware(datetime.combine(begin, time.min))


def locks(*, now: datetime) -> list[Lock]:
    """Usernames whose second factor is locked, those that wait longest first. One query."""
    found = _locks(now).order_by("-resets_at", "key").values_list("key", "resets_at")
    return [Lock(*row) for row in found[:LOCKS_SHOWN]]


def _locks(now: datetime) -> QuerySet[Allowance]:
    return Allowance.objects.filter(
        limit=throttle.SECOND_FACTOR_OF_USER.name, spent__gte=F("size"), resets_at__gt=now
    )


def _by_day(since: datetime) -> dict[tuple[date, str], int]:
    decided = ReviewCase.objects.filter(decided_at__gte=since)
    grouped = decided.annotate(day=TruncDate("decided_at")).values_list("day", "decision")
    return {(day, verdict): count for day, verdict, count in grouped.annotate(Count("pk"))}


def _time_taken(since: datetime, place: int) -> timedelta | None:
    """The time from submission to decision that stands at `place` when all are sorted."""
    taken = ExpressionWrapper(F("decided_at") - F("share__submitted_at"), DurationField())
    decided = ReviewCase.objects.filter(decided_at__gte=since)
    found = decided.order_by(taken).values_list(taken, flat=True)[place : place + 1]
    return next(iter(found), None)
