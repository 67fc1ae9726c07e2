"""
Reading the queue: a page in one query, its counts in another, however many requests wait.

A page begins behind a row's time and id (keyset), so the thousandth costs what the first does, and rows
that leave meanwhile move no other row to a page already seen.
"""

import uuid
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any, NamedTuple

from django.db.models import (
    BigIntegerField,
    BooleanField,
    CharField,
    DateTimeField,
    Exists,
    Expression,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    UUIDField,
)
from django.utils import timezone

from compliance.models import PendingShare, ReviewCase
from portal.capped import CountUpTo
from portal.compiled import Compiled
from portal.models import User
from portal.models.account import normalise_username
from sls.models import ShareState
from sls.sharing.queries import overdue_before

from .rules import PAGE, Asked, Mark, Order, Stage

MOST, MOST_OF_CASES = 1000, 50  # counted; more are "1,000+" and "50+"
BY_CASES = (Stage.MINE, Stage.CLAIMED, Stage.RECOMMENDED)  # few, each known by its case
CLAIMED = ReviewCase.objects.filter(claimed_at__isnull=False)
COUNTED = [stage for stage in Stage if stage != Stage.DECIDED]
VALUES: dict[str, Any] = {
    "me": BigIntegerField(),
    "cutoff": DateTimeField(),
    "name": CharField(),
    "day_begins": DateTimeField(),
    "day_ends": DateTimeField(),
    "at": DateTimeField(),
    "share": UUIDField(),
}


class Row(NamedTuple):
    """One request as the queue shows it. `at` is the time the list is ordered by."""

    share_id: uuid.UUID
    submitted_at: datetime
    state: str
    reasons: list[str]
    reviewers: int
    requester: str
    requester_entity: str
    owner: str
    owner_entity: str
    kind: str
    serial: str
    claimed_by: int | None
    claimer: str | None
    recommended_at: datetime | None
    decision: str | None
    at: datetime


class Page(NamedTuple):
    rows: list[Row]
    before: Mark | None  # of the page before this one; None at the start
    after: Mark | None  # of the next page; None at the end


class Counted(NamedTuple):
    """So many requests, and whether there are more."""

    number: int
    is_more: bool


def page(asked: Asked, *, me: User, now: datetime) -> Page:
    """The page of the queue that `me` asks for. One query."""
    mark = asked.after or asked.before
    shape = _Shape(
        stage=asked.stage,
        order=asked.order,
        reason=asked.reason,
        kind=asked.kind,
        by_name=bool(asked.name),
        by_day=asked.day is not None,
        is_marked=mark is not None,
        is_backward=asked.before is not None,
    )
    day = asked.day or timezone.localdate(now)
    found = _compiled(shape)(
        me=me.pk,
        cutoff=overdue_before(now),
        name=normalise_username(asked.name),
        day_begins=_midnight(day),
        day_ends=_midnight(day + timedelta(days=1)),
        at=mark.at if mark else now,
        share=mark.share if mark else uuid.UUID(int=0),
    )
    rows = [Row._make(row) for row in found[:PAGE]]
    has_more = len(found) > PAGE
    if asked.before:
        rows.reverse()
    is_preceded = has_more if asked.before else bool(asked.after)
    is_followed = bool(asked.before) or has_more
    return Page(
        rows,
        before=_mark(rows[0]) if rows and is_preceded else None,
        after=_mark(rows[-1]) if rows and is_followed else None,
    )


def counts(*, me: User, now: datetime) -> dict[Stage, Counted]:
    """How many requests each list holds, or that it holds more. One query."""
    found = iter(_counts().first(me=me.pk, cutoff=overdue_before(now)))
    counted: dict[Stage, Counted] = {}
    for stage in COUNTED:
        number = next(found)
        reached = next(found) if stage in BY_CASES else number
        counted[stage] = Counted(min(number, _most(stage)), reached > _most(stage))
    return counted


def _most(stage: Stage) -> int:
    return MOST if stage in (Stage.WAITING, Stage.OVERDUE) else MOST_OF_CASES


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _mark(row: Row) -> Mark:
    return Mark(row.at, row.share_id)


class _Literal(Expression):
    """
    A code of ours, spelt out in the statement: the planner of a prepared statement uses a partial index only
    when it sees that the condition is the index's.
    """

    def __init__(self, code: str) -> None:
        super().__init__(output_field=CharField())
        assert str(code).replace("_", "").isalnum(), code
        self.code = str(code)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        return f"'{self.code}'", []


class _Names(Expression):
    """Does the list of reasons name this one?"""

    def __init__(self, code: str) -> None:
        super().__init__(output_field=BooleanField())
        self.reasons: Any = F("reasons")
        self.literal = _Literal(code)

    def get_source_expressions(self) -> list[Any]:
        return [self.reasons]

    def set_source_expressions(self, exprs: Any) -> None:
        (self.reasons,) = exprs

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        column, params = compiler.compile(self.reasons)
        return f"""instr({column}, '"{self.literal.code}"') > 0""", list(params)

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, params = compiler.compile(self.reasons)
        return f"""{column} @> '["{self.literal.code}"]'""", list(params)


class _Shape(NamedTuple):
    """Everything that changes the SQL of a page."""

    stage: Stage
    order: Order
    reason: str
    kind: str
    by_name: bool
    by_day: bool
    is_marked: bool
    is_backward: bool

    @property
    def key(self) -> str:
        """The column that orders the list."""
        if self.stage == Stage.DECIDED:
            return "review__decided_at"
        return "review__claimed_at" if self.order == Order.CLAIMED else "submitted_at"

    @property
    def is_descending(self) -> bool:
        newest = self.stage == Stage.DECIDED or self.order == Order.NEWEST
        return newest != self.is_backward


_PENDING = Q(state=_Literal(ShareState.PENDING))


@cache
def _compiled(shape: _Shape) -> Compiled:
    return Compiled(lambda **values: _rows(shape, **values), VALUES)


def _rows(shape: _Shape, *, at: Any, share: Any, **values: Any) -> QuerySet[Any, Any]:
    rows = _narrowed(shape, **values)
    if shape.is_marked:
        side = "lt" if shape.is_descending else "gt"
        among_equals = {shape.key: at, f"pk__{side}": share}
        behind = Q(**{f"{shape.key}__{side}": at}) | Q(**among_equals)
        rows = rows.filter(behind, **{f"{shape.key}__{side}e": at})  # the latter uses the index
    sign = "-" if shape.is_descending else ""
    return rows.order_by(f"{sign}{shape.key}", f"{sign}pk").values_list(
        *("pk", "submitted_at", "state", "reasons", "reviewers"),
        *("requester__username", "requester__entity__name"),
        *("owner__username", "owner__entity__name", "device__kind", "device__serial"),
        *("review__claimed_by", "review__claimed_by__username"),
        *("review__recommended_at", "review__decision", shape.key),
    )[: PAGE + 1]


def _narrowed(
    shape: _Shape, *, me: Any, cutoff: Any, name: Any, day_begins: Any, day_ends: Any
) -> QuerySet[PendingShare]:
    rows = _of(shape.stage, me=me, cutoff=cutoff)
    if shape.key == "review__claimed_at":
        rows = rows.filter(review__claimed_at__isnull=False, review__decided_at__isnull=True)
    if shape.reason:
        rows = rows.filter(_Names(shape.reason))
    if shape.kind:
        rows = rows.filter(device__kind=_Literal(shape.kind))
    if shape.by_name:
        whom = User.objects.filter(username=name).values("pk")
        rows = rows.filter(Q(requester=Subquery(whom)) | Q(owner=Subquery(whom)))
    if shape.by_day and shape.stage == Stage.DECIDED:
        rows = rows.filter(review__decided_at__gte=day_begins, review__decided_at__lt=day_ends)
    return rows


def _of(stage: Stage, *, me: Any, cutoff: Any) -> QuerySet[PendingShare]:
    if stage == Stage.DECIDED:
        return PendingShare.objects.filter(review__decided_at__isnull=False)
    waiting = PendingShare.objects.filter(_PENDING)
    open_ = waiting.filter(review__decided_at__isnull=True)  # as the indexes of cases say it
    match stage:
        case Stage.UNCLAIMED:
            return waiting.filter(~Exists(CLAIMED.filter(share=OuterRef("pk"))))
        case Stage.MINE:
            return open_.filter(review__claimed_by=me)
        case Stage.CLAIMED:
            return open_.filter(review__claimed_at__isnull=False)
        case Stage.RECOMMENDED:
            return open_.filter(review__recommended_at__isnull=False)
        case Stage.OVERDUE:
            return waiting.filter(submitted_at__lt=cutoff)
    return waiting


@cache
def _counts() -> Compiled:
    def build(me: Any, cutoff: Any) -> QuerySet[Any, Any]:
        found = []
        for stage in COUNTED:
            if stage in BY_CASES:
                cases = _latest_cases(stage, me=me)
                listed = PendingShare.objects.filter(_PENDING, pk__in=cases)
                found += [CountUpTo(listed, MOST_OF_CASES), CountUpTo(cases, MOST_OF_CASES)]
            else:
                found.append(CountUpTo(_of(stage, me=me, cutoff=cutoff), _most(stage)))
        return User.objects.filter(pk=me).values_list(*found)

    return Compiled(build, {name: VALUES[name] for name in ("me", "cutoff")})


def _latest_cases(stage: Stage, *, me: Any) -> QuerySet[Any, Any]:
    """
    The first of a stage that is known by its cases. A case stays open when its request is withdrawn; of
    those that are counted, the latest, the requests are looked up.
    """
    cases = ReviewCase.objects.filter(decided_at__isnull=True)
    if stage == Stage.RECOMMENDED:
        cases = cases.filter(recommended_at__isnull=False).order_by("-recommended_at")
    elif stage == Stage.MINE:
        cases = cases.filter(claimed_by=me).order_by("-claimed_at")
    else:
        cases = cases.filter(claimed_at__isnull=False).order_by("-claimed_at")
    return cases.values("pk")[: MOST_OF_CASES + 1]
