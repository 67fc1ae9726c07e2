"""What is done with the chain and goes on record itself: verifying all of it, and taking rows out."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import transaction

from portal import events
from portal.caller import Caller

from . import anchors, chain, export
from .queries import Filters
from .verification import Walk


@dataclass(frozen=True)
class Verified:
    """`rows` that hold, `agreed` anchors that stand at their rows, and the first of each that is `wrong`."""

    rows: int
    agreed: int
    wrong: list[str]


def verify(*, by: Caller, now: datetime) -> Verified:
    """Walk the whole chain past the anchors of this machine, and record what was found."""
    reading = anchors.of_this_machine()
    walk = Walk(anchors=reading.hashes)
    wrong = [f"audit row {number} {what}" for number, what in islice(walk.broken(), 1)]
    found = Verified(walk.rows, walk.agreed, [*wrong, *reading.problems[:1]])
    facts = {"rows": found.rows, "anchors": found.agreed, "wrong": found.wrong}
    _record(event=events.AUDIT_VERIFIED, by=by, at=now, **facts)
    return found


def take_out(
    *, wanted: Filters, form: export.Form, reason: str, by: Caller, now: datetime, **facts: Any
) -> Iterator[str]:
    """
    Record the export, then give the lines of the file, made as they are read: the rows there were before the
    record. `facts` say more of who asks.
    """
    up_to, _hash = chain.tail()
    facts |= {"form": form.value, "reason": reason, "up_to": up_to, "wanted": wanted.as_facts()}
    _record(event=events.AUDIT_EXPORTED, by=by, at=now, **facts)
    return export.lines(wanted.rows(), form=form, up_to=up_to)


@transaction.atomic(durable=True)
def _record(**row: Any) -> None:
    chain.record(**row, subject=None)
