"""The shapes of the dashboard's numbers and of its chart. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

DAYS = 30
WIDTH, HEIGHT = 720, 200
LEFT, BOTTOM, TOP = 40, 24, 12
ROUND = (1, 2, 5, 10)


class Day(NamedTuple):
    """What was decided on one day."""

    day: date
    approved: int
    rejected: int

    @property
    def decided(self) -> int:
        return self.approved + self.rejected


class Bar(NamedTuple):
    """A day's bar in the units of the drawing: rejections stand on approvals."""

    day: Day
    x: int
    width: int
    approved_y: int
    approved_height: int
    rejected_y: int
    rejected_height: int


class Chart(NamedTuple):
    bars: list[Bar]
    lines: list[tuple[int, int]]  # height in the drawing, and the number it stands for


def days(found: Mapping[tuple[date, str], int], today: date) -> list[Day]:
    """The last DAYS days, those without a decision as well; `found` counts by day and decision."""
    begin = today - timedelta(days=DAYS - 1)
    each = (begin + timedelta(days=number) for number in range(DAYS))
    return [Day(d, found.get((d, "approve"), 0), found.get((d, "reject"), 0)) for d in each]


def chart(of: Sequence[Day]) -> Chart:
    top = ceiling(max((day.decided for day in of), default=0))
    step = (WIDTH - LEFT) // max(len(of), 1)
    bars = []
    for number, day in enumerate(of):
        approved, both = _high(day.approved, top), _high(day.decided, top)
        bars.append(
            Bar(
                day=day,
                x=LEFT + number * step + 2,
                width=step - 4,
                approved_y=HEIGHT - BOTTOM - approved,
                approved_height=approved,
                rejected_y=HEIGHT - BOTTOM - both,
                rejected_height=both - approved,
            )
        )
    marks = sorted({0, top // 2, top}) if top > 1 else [0, top]
    return Chart(bars, [(HEIGHT - BOTTOM - _high(mark, top), mark) for mark in marks])


def ceiling(most: int) -> int:
    """The round number, at least 1, up to which the scale goes."""
    size = 1
    while size * 10 < most:
        size *= 10
    return next(size * step for step in ROUND if size * step >= most)


def _high(number: int, top: int) -> int:
    return round((HEIGHT - BOTTOM - TOP) * number / top)


def percent(part: int, whole: int) -> int | None:
    """None where there is nothing to divide."""
    return round(100 * part / whole) if whole else None


def rank(count: int, percentile: int) -> int:
    """The place, from 0, of the nearest-rank percentile among `count` sorted values."""
    return max(0, -(-count * percentile // 100) - 1)
