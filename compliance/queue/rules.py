"""How the queue is asked, and by when a request is due. Pure."""

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, Self, TypeVar
from urllib.parse import urlencode

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from portal import business_days
from sls.catalog import shareable_kinds
from sls.review import ReviewReason

PAGE = 50  # rows
LONGEST_NAME = 200
FIRST_YEAR, LAST_YEAR = 2000, 2999
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
Choice = TypeVar("Choice", bound=TextChoices)
MARK = re.compile(r"(\d{1,17})-([0-9a-f]{32})")


class Stage(TextChoices):
    """The lists of the desk. A request is overdue, or claimed, and waits all the same."""

    WAITING = "waiting", _("All that wait")
    UNCLAIMED = "unclaimed", _("Unclaimed")
    MINE = "mine", _("Mine")
    CLAIMED = "claimed", _("Claimed")
    RECOMMENDED = "recommended", _("Awaiting the checker")
    OVERDUE = "overdue", _("Overdue")
    DECIDED = "decided", _("Decided")


class Order(TextChoices):
    """What came in first is due first, so these are one order. Decided requests have their own."""

    OLDEST = "oldest", _("Oldest first, which is due first")
    NEWEST = "newest", _("Newest first")
    CLAIMED = "claimed", _("Longest claimed first (claimed requests only)")


class Mark(NamedTuple):
    """A place in a list: the time and id of the row it lies behind, or before."""

    at: datetime
    share: uuid.UUID

    @classmethod
    def read(cls, text: str) -> Self | None:
        """None for what is no mark."""
        found = MARK.fullmatch(text)
        if found is None:
            return None
        try:
            return cls(EPOCH + int(found[1]) * MICROSECOND, uuid.UUID(hex=found[2]))
        except OverflowError:
            return None

    def __str__(self) -> str:
        return f"{(self.at - EPOCH) // MICROSECOND}-{self.share.hex}"


class Asked(NamedTuple):
    """What an officer asks to see; `day` (of the decision) narrows decided requests only."""

    stage: Stage = Stage.WAITING
    order: Order = Order.OLDEST
    reason: str = ""
    kind: str = ""
    name: str = ""
    day: date | None = None
    after: Mark | None = None
    before: Mark | None = None

    @classmethod
    def read(cls, query: Mapping[str, str], *, usual: str = "") -> Self:
        """From an address; what makes no sense counts as not asked. `usual` is the officer's order."""
        after = Mark.read(query.get("after", ""))
        return cls(
            stage=_one_of(Stage, query.get("stage", "")) or Stage.WAITING,
            order=_one_of(Order, query.get("order", "") or usual) or Order.OLDEST,
            reason=_one_of(ReviewReason, query.get("reason", "")) or "",
            kind=next((k for k in shareable_kinds() if k == query.get("kind")), ""),
            name=query.get("q", "")[:LONGEST_NAME].strip(),
            day=_day(query.get("day", "")),
            after=after,
            before=None if after else Mark.read(query.get("before", "")),
        )

    def query(self, **changes: object) -> str:
        """The address of what is asked with `changes`; a list that is not named begins at its start."""
        asked = self._replace(after=None, before=None)._replace(**changes)  # type: ignore[arg-type]
        named = {
            "stage": "" if asked.stage == Stage.WAITING else asked.stage,
            "reason": asked.reason,
            "kind": asked.kind,
            "q": asked.name,
            "day": asked.day or "",
            "after": asked.after or "",
            "before": asked.before or "",
        }
        return urlencode({name: str(value) for name, value in named.items() if value})

    @property
    def is_narrowed(self) -> bool:
        return bool(self.reason or self.kind or self.name or self.day)


def _one_of(choices: type[Choice], text: str) -> Choice | None:
    return choices(text) if text in choices.values else None


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    # In every zone it has a day before and after.
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


@lru_cache(maxsize=1000)
def due_on(came_in: date, number: int, holidays: frozenset[date]) -> date:
    """The last day on which what came in on `came_in` is in time."""
    return business_days.after(came_in, number, holidays)
