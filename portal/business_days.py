"""Business days: Monday to Friday without the holidays given. Pure."""

from collections.abc import Collection
from datetime import date, timedelta


def is_business_day(day: date, holidays: Collection[date]) -> bool:
    return day.weekday() < 5 and day not in holidays


def after(day: date, number: int, holidays: Collection[date]) -> date:
    """The `number`th business day after `day`; what comes in on a weekend or holiday counts from the next."""
    found = day
    while number:
        found += timedelta(days=1)
        number -= is_business_day(found, holidays)
    return found


def before(day: date, number: int, holidays: Collection[date]) -> date:
    """
    The latest day whose `number`th business day is earlier than `day`: what came in until then is overdue on
    `day`.
    """
    found = day
    while after(found, number, holidays) >= day:
        found -= timedelta(days=1)
    return found
