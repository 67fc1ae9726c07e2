"""
The time that workers go by: the database's, where their own clock is off.

Messages, questions and locks end by times that other machines wrote. A worker two hours ahead would drop fresh
codes, take over messages that are just being sent and forget nonces that still count; one two hours behind would
send what is over. The web goes by its own clock: `manage.py doctor` compares it, and docs/operations.md says what
happens when it is off.
"""

import logging
import time
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.utils import timezone

log = logging.getLogger(__name__)

TOLERANCE = timedelta(seconds=2)  # between two machines; less is the network
CHECK_SECONDS = 30.0  # between two looks at the database's clock

_checked_at = float("-inf")  # by the clock that nobody sets
_began_at = 0.0  # its beginning by the other clock: that changes when somebody sets it
_ahead = timedelta(0)


def ahead() -> timedelta:
    """How far the database's clock is ahead of ours; below zero when it is behind. One statement."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT clock_timestamp()")
            theirs = cursor.fetchone()[0]
        else:
            cursor.execute("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')")
            theirs = datetime.fromisoformat(cursor.fetchone()[0]).replace(tzinfo=UTC)
    difference: timedelta = theirs - timezone.now()
    return difference


def are_apart(difference: timedelta) -> bool:
    return abs(difference) > TOLERANCE


def shared_now() -> datetime:
    """Now, by the database's clock when ours is off. Raises DatabaseError."""
    if _is_due():
        _check()
    return timezone.now() + _ahead


def _is_due() -> bool:
    was_set = abs(time.time() - time.monotonic() - _began_at) > TOLERANCE.total_seconds()
    return was_set or time.monotonic() - _checked_at > CHECK_SECONDS


def _check() -> None:
    global _checked_at, _began_at, _ahead
    difference = ahead()
    if are_apart(difference):
        seconds = difference.total_seconds()
        log.critical("our clock is off: the database's is %.0f s ahead of it", seconds)
    _ahead = difference if are_apart(difference) else timedelta(0)
    _checked_at, _began_at = time.monotonic(), time.time() - time.monotonic()
