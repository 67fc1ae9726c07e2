"""
The append-only record of every decision.

Each row's hash covers its content and the hash before it, so an altered, deleted, inserted or swapped row
breaks the chain where it stands. Rows are numbered without gaps, and one transaction at a time may
append: `record` takes the chain's lock until commit. Operations therefore write their audit row *last*.
At commit PostgreSQL still checks foreign keys, with the lock `FOR KEY SHARE`; so nobody takes a row of a
user or device with a stronger lock than `FOR NO KEY UPDATE`, and the holder of the chain never waits.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from portal.caller import Caller
from portal.compiled import insert
from portal.errors import Refused
from portal.models import AuditEvent, User

GENESIS = "0" * 64
CHAIN_LOCK = 0x5105  # any number, the same in every process
TAIL = "SELECT number, hash FROM portal_auditevent ORDER BY number DESC LIMIT 1"


def record(*, event: str, by: Caller, subject: User | None, at: datetime, **facts: Any) -> None:
    """
    Append one row in the caller's transaction. `facts` must be JSON and never hold a secret, a response,
    a password or an unmasked number.
    """
    assert connection.in_atomic_block, "an audit row belongs to the transaction of its decision"
    number, previous_hash = _take_tail()
    row = AuditEvent(
        number=number + 1,
        at=at,
        event=event,
        actor=by.username,
        subject=subject.username if subject else "",
        address=by.address,
        request_id=by.request_id,
        facts=facts,
        previous_hash=previous_hash,
    )
    row.hash = content_hash(row)
    insert(row)


@transaction.atomic(durable=True)
def record_refusal(**row: Any) -> None:
    """Append one row in a transaction of its own: for a refusal, whose transaction changed nothing."""
    record(**row)


@contextmanager
def refusals(**row: Any) -> Iterator[None]:
    """Record a refusal raised inside, with its code among the facts, and let it pass on."""
    try:
        yield
    except Refused as refused:
        record_refusal(**row, refused=refused.code, **refused.facts)
        raise


def _take_tail() -> tuple[int, str]:
    # SQLite's immediate transaction is the lock. PostgreSQL takes an advisory one; as a statement of its
    # own it makes the next statement see what the last holder committed.
    lock = (
        f"SELECT pg_advisory_xact_lock({CHAIN_LOCK}); " if connection.vendor == "postgresql" else ""
    )
    with connection.cursor() as cursor:
        cursor.execute(lock + TAIL)
        if lock:
            cursor.nextset()
        number, tail_hash = cursor.fetchone() or (0, GENESIS)
    return number, tail_hash


def content_hash(row: AuditEvent) -> str:
    """SHA-256 over every column but `hash` itself, in a fixed spelling."""
    content = [
        row.number,
        row.at.astimezone(UTC).isoformat(),
        row.event,
        row.actor,
        row.subject,
        row.address,
        row.request_id,
        row.facts,
        row.previous_hash,
    ]
    spelt = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(spelt.encode()).hexdigest()


def broken_rows() -> Iterator[tuple[int, str]]:
    """Each row where the chain does not hold, as its number and what is wrong."""
    number, previous_hash = 0, GENESIS
    for row in AuditEvent.objects.order_by("number").iterator(chunk_size=2000):
        if row.number != number + 1:
            yield row.number, f"rows {number + 1} to {row.number - 1} are missing"
        elif row.previous_hash != previous_hash:
            yield row.number, "does not follow the row before it"
        if row.hash != content_hash(row):
            yield row.number, "was altered"
        number, previous_hash = row.number, row.hash
