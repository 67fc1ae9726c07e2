"""A chain of seven rows, and hands that tamper with it as one with the database's own rights would."""

import pytest
from django.db import transaction

from portal import audit
from portal.audit import anchors
from portal.caller import SYSTEM
from portal.models import AuditEvent
from tests.conftest import NOW

EVENTS = 7


def append(count: int, **facts) -> None:
    with transaction.atomic():
        for number in range(count):
            audit.record(event="test.done", by=SYSTEM, subject=None, at=NOW, step=number, **facts)


@pytest.fixture
def chain(db):
    append(EVENTS)


def anchored() -> dict[int, str]:
    """What the file says, when it says it without a problem."""
    reading = anchors.of_this_machine()
    assert reading.problems == []
    return reading.hashes


def make_whole_again() -> None:
    """Number and hash every row anew: the best a forger without the anchors' key can do."""
    rows = list(AuditEvent.objects.order_by("number"))
    AuditEvent.objects.all().delete()
    before = audit.GENESIS
    for number, row in enumerate(rows, 1):
        row.number, row.previous_hash = number, before
        row.hash = before = audit.content_hash(row)
        row.save(force_insert=True)
