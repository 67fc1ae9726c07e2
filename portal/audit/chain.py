"""
The hash chain.

Each row's hash covers its content and the hash before it, so an altered, deleted, inserted or swapped row
breaks the chain where it stands; what is cut off at the end is seen by the anchors (`portal.audit.anchors`).
Rows are numbered without gaps, and one transaction at a time may append: `record` takes the chain's lock
until commit. Operations therefore write their audit row *last*. At commit PostgreSQL still checks foreign
keys, with the lock `FOR KEY SHARE`; so nobody takes a row of a user or device with a stronger lock than
`FOR NO KEY UPDATE`, and the holder of the chain never waits.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.db import connection, transaction

from portal import events
from portal.caller import Caller
from portal.compiled import insert
from portal.errors import Refused
from portal.metrics.counts import counts
from portal.models import AuditEvent, User

GENESIS = "0" * 64
CHAIN_LOCK = 0x5105  # any number, the same in every process
TAIL = "SELECT number, hash FROM portal_auditevent ORDER BY number DESC LIMIT 1"
COLUMNS = (  # what a hash covers, in the order in which it is spelt
    *("number", "at", "event", "actor", "subject", "address", "request_id", "facts"),
    "previous_hash",
)
_spell = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


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
        facts=_storable(facts),
        previous_hash=previous_hash,
    )
    row.hash = content_hash(row)
    insert(row)
    transaction.on_commit(partial(counts.add, "decisions", event, str(facts.get("refused", ""))))


def _storable(value: Any) -> Any:
    """Facts may repeat what somebody sent; PostgreSQL's JSON takes neither a NUL nor half a surrogate pair."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_storable(name): _storable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(inner) for inner in value]
    return value


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


@transaction.atomic(durable=True)
def viewed(*, subject: User | None, what: str, by: Caller, at: datetime, **facts: Any) -> None:
    """
    Record that `by` looks at personal data, before the page with them is shown: when this fails, nothing is
    shown. `what` names the page in a few words; `facts` say whose data (keys, usernames), never the data.
    """
    record(event=events.PERSONAL_DATA_VIEWED, by=by, subject=subject, at=at, what=what, **facts)


def tail() -> tuple[int, str]:
    """Number and hash of the newest committed row, (0, GENESIS) of an empty chain. Takes no lock."""
    newest = AuditEvent.objects.order_by("-number").values_list("number", "hash").first()
    return newest or (0, GENESIS)


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
    return hash_of([getattr(row, name) for name in COLUMNS])


def hash_of(content: Sequence[Any]) -> str:
    """The same over the values of `COLUMNS`."""
    number, at, *rest = content
    spelt = _spell([number, at.astimezone(UTC).isoformat(), *rest])
    return hashlib.sha256(spelt.encode()).hexdigest()
