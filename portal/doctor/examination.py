"""All checks, in the order in which their failures explain one another."""

from collections.abc import Iterator
from datetime import datetime

from django.db import DatabaseError

from . import database, neighbours, surroundings
from .finding import Check, Finding

WITHOUT_DATABASE: list[Check] = [
    surroundings.mode,
    surroundings.checks,
    surroundings.files,
    neighbours.reachable,
    neighbours.gateways,
]
WITH_DATABASE: list[Check] = [
    database.clocks,
    database.opens,
    database.outbox,
    database.audit_tail,
    database.anchored,
    neighbours.at_work,
]


def examine(*, now: datetime) -> Iterator[Finding]:
    """Every finding, the good ones too. What a missing database or migration hides is left out."""
    for check in WITHOUT_DATABASE:
        yield from check(now)
    answers = list(database.reachable(now))
    yield from answers
    if not answers[0].is_well:
        return
    plan = list(database.migrated(now))
    yield from plan
    if not plan[0].is_well:
        return
    for check in WITH_DATABASE:
        try:
            yield from check(now)
        except DatabaseError as error:
            yield Finding(
                check.__name__,
                f"The database refused: {type(error).__name__}.",
                "Look at the database's own log.",
            )
