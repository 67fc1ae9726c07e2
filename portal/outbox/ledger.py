"""
The rows of a message while it is handed over: claimed, read, closed with the row of its attempt.

A delivery is four statements at most, and two of them change something: the claim, which also reads the row,
and the closing, which on PostgreSQL writes the attempt in the same statement. Nothing is written between
them, so an attempt whose worker died has no row yet; whoever claims the message next writes it.
"""

import uuid
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.db import connection, transaction
from django.db.models import (
    BigIntegerField,
    BooleanField,
    CharField,
    DateTimeField,
    F,
    Field,
    PositiveSmallIntegerField,
    Q,
    QuerySet,
    TextField,
    UUIDField,
)

from portal import clock
from portal.compiled import compiled, compiled_claim, compiled_update, insertion, run
from portal.models import AttemptOutcome, MessageState, OutboxAttempt, OutboxMessage, User

Values = dict[str, Any]

LEASE = timedelta(seconds=60)  # a channel is expected to answer well within


@compiled_claim(pk=UUIDField(), now=DateTimeField(), ahead=DateTimeField(), until=DateTimeField())
def _take(pk: Any, now: Any, ahead: Any, until: Any) -> tuple[QuerySet[OutboxMessage], Values]:
    is_due = Q(next_try_at__lte=now) | Q(created_at__gt=ahead, attempts=0)  # see `early`
    due = OutboxMessage.objects.filter(is_due, pk=pk, state=MessageState.QUEUED)
    columns = {"state": MessageState.SENDING, "next_try_at": until, "attempts": F("attempts") + 1}
    return due, columns


@compiled(pk=BigIntegerField())
def _receiver(pk: Any) -> QuerySet[User]:
    return User.objects.filter(pk=pk).select_related("entity")


def claim(message_id: uuid.UUID, *, now: datetime) -> OutboxMessage | None:
    """
    Take the message for the time of the lease, its user read with it; None when there is nothing to do. One
    that was being sent already may go out twice.
    """
    taken = _take(pk=message_id, now=now, ahead=now + clock.TOLERANCE, until=now + LEASE)
    row: OutboxMessage | None = taken[0] if taken else _take_over(message_id, now=now)
    if row is not None:
        row.user = _receiver.first(pk=row.user_id)
        if row.created_at > now + clock.TOLERANCE:
            _set_back(row, now=now)
    return row


def early(*, now: datetime) -> QuerySet[OutboxMessage]:
    """
    Untried messages from a machine whose clock is ahead. They are here, so they are due: waiting for their time
    would send a code hours after its question is over.
    """
    untried = OutboxMessage.objects.filter(state=MessageState.QUEUED, attempts=0)
    late = now + clock.TOLERANCE
    return untried.filter(next_try_at__gt=late, created_at__gt=late).order_by("next_try_at")


def _set_back(row: OutboxMessage, *, now: datetime) -> None:
    """Their life, from now on by our clock, so that no later try comes after its end."""
    row.created_at, row.expires_at = now, now + (row.expires_at - row.created_at)
    OutboxMessage.objects.filter(pk=row.pk).update(
        created_at=row.created_at, expires_at=row.expires_at
    )


@transaction.atomic
def _take_over(message_id: uuid.UUID, *, now: datetime) -> OutboxMessage | None:
    """The message of a worker that has not come back within its lease. Its attempt gets its row now."""
    rows = OutboxMessage.objects.filter(
        pk=message_id, state=MessageState.SENDING, next_try_at__lte=now
    )
    row = rows.first()
    if row is None or not rows.filter(attempts=row.attempts).update(
        maybe_twice=True, next_try_at=now + LEASE, attempts=row.attempts + 1
    ):
        return None
    OutboxAttempt.objects.create(
        message=row,
        number=row.attempts,
        started_at=row.next_try_at - LEASE,
        ended_at=now,
        outcome=AttemptOutcome.LOST,
        unsure=True,
    )
    row.attempts += 1
    row.maybe_twice = True
    row.next_try_at = now + LEASE
    return row


CLOSED: dict[str, "Field[Any, Any]"] = {
    "state": CharField(),
    "next_try_at": DateTimeField(),
    "context": TextField(),
    "recipient": TextField(),
    "sent_at": DateTimeField(null=True),
    "last_error": CharField(),
    "provider": CharField(),
    "gateway_id": CharField(),
    "maybe_twice": BooleanField(),
    "template_version": CharField(),
    "encoding": CharField(),
    "segments": PositiveSmallIntegerField(),
    "cost_units": PositiveSmallIntegerField(),
}


@compiled_update(pk=UUIDField(), number=PositiveSmallIntegerField(), **CLOSED)
def _close(pk: Any, number: Any, **columns: Any) -> tuple[QuerySet[OutboxMessage], dict[str, Any]]:
    ours = OutboxMessage.objects.filter(pk=pk, state=MessageState.SENDING, attempts=number)
    return ours, columns


def close(row: OutboxMessage, attempt: OutboxAttempt) -> bool:
    """Save the row as it is now, with its attempt; False when somebody else has taken it meanwhile."""
    values = {name: getattr(row, name) for name in CLOSED}
    update, params = _close.statement(pk=row.pk, number=row.attempts, **values)
    attempt.message, attempt.number = row, row.attempts
    _columns, cells = insertion(OutboxAttempt, attempt)
    if connection.vendor == "postgresql":
        ours = run(f"WITH closed AS ({update} RETURNING id) {_insert()}", [*params, *cells]) == 1
    else:
        with transaction.atomic():
            ours = run(update, params) == 1
            if ours:
                run(_insert(), cells)
    if not ours:
        _came_back_late(attempt)
    return ours


@cache
def _insert() -> str:
    columns, cells = insertion(OutboxAttempt, OutboxAttempt())
    table = connection.ops.quote_name(OutboxAttempt._meta.db_table)
    if connection.vendor == "postgresql":
        fields = [f for f in OutboxAttempt._meta.local_concrete_fields if not f.primary_key]
        kinds = [str(field.db_type(connection)).partition("(")[0] for field in fields]
        places = ", ".join(f"%s::{kind}" for kind in kinds)
        return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {places} FROM closed"  # noqa: S608
    places = ", ".join(["%s"] * len(cells))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608


def _came_back_late(attempt: OutboxAttempt) -> None:
    """Another worker has noted that we are lost: what we know of our attempt is better."""
    lost = OutboxAttempt.objects.filter(
        message=attempt.message, number=attempt.number, outcome=AttemptOutcome.LOST
    )
    lost.update(
        outcome=attempt.outcome,
        provider=attempt.provider,
        ended_at=attempt.ended_at,
        answer=attempt.answer,
        gateway_id=attempt.gateway_id,
        cost_units=attempt.cost_units,
    )
