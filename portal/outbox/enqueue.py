"""
Writing messages: a row in the caller's transaction, and after commit a hint to the workers.

The row is the truth and the hint is only speed: a message whose hint is lost is found by the sweep. The
hint is given by a thread of its own, so that a frozen broker costs the request nothing.
"""

import json
import logging
import queue
import threading
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import connection, transaction

from portal import vault
from portal.compiled import insert
from portal.logs import request_id
from portal.models import Channel, MessagePurpose, OutboxMessage, Urgency, User

from . import countries, recipients

log = logging.getLogger(__name__)

LIFE = timedelta(days=3)
WAITING_HINTS = 1000
# What a message is for and how urgent it is, unless the caller says otherwise.
USUAL = {
    Channel.EMAIL: (MessagePurpose.NOTICE, Urgency.NORMAL),
    Channel.SMS: (MessagePurpose.CODE, Urgency.URGENT),
    Channel.PUSH: (MessagePurpose.WAKE, Urgency.URGENT),
}


def message(
    *,
    user: User,
    event: str,
    fact: str,
    now: datetime,
    channel: Channel = Channel.EMAIL,
    to: str = "",
    life: timedelta = LIFE,
    purpose: MessagePurpose | None = None,
    urgency: Urgency | None = None,
    **context: Any,
) -> OutboxMessage:
    """
    A message about `event` for `user`, not yet saved. `fact` names what it tells of, so that it is told
    once; `context` (strings and numbers) fills the template `messages/<event>/<channel>.txt`.

    An e-mail goes to the user's address, so it takes no `to`; an SMS takes a number in E.164 form, a push a
    subscription as JSON and an opaque `id`, of which nothing else is sent. After its `life` a message is
    dropped: give a code's message the life of the code. SMS and pushes are urgent unless `urgency` says
    otherwise: somebody waits for them.
    """
    usual_purpose, usual_urgency = USUAL[channel]
    target = recipients.mask(channel, to, email=user.email)
    row = OutboxMessage(
        user=user,
        channel=channel,
        event=event,
        purpose=purpose or usual_purpose,
        urgency=usual_urgency if urgency is None else urgency,
        language=user.language,
        target=target,
        country=countries.of(to) if channel == Channel.SMS else "",
        idempotency_key=key_of(user, event, fact, channel),
        created_at=now,
        next_try_at=now,
        expires_at=now + life,
    )
    vault.sealed_field(row, "context").seal_into(row, json.dumps(context))
    vault.sealed_field(row, "recipient").seal_into(row, to)
    return row


def key_of(user: User, event: str, fact: str, channel: Channel) -> str:
    """The idempotency key of the message."""
    return f"{event}:{fact}:{user.pk}:{channel}"


def enqueue(messages: Iterable[OutboxMessage]) -> None:
    """Save the messages with the caller's transaction and tell the workers after its commit."""
    assert connection.in_atomic_block, "a message belongs to the transaction of what it tells of"
    rows = list(messages)
    if len(rows) == 1:
        insert(rows[0])
    else:
        OutboxMessage.objects.bulk_create(rows)
    for row in rows:
        hint_after_commit(row.pk, Urgency(row.urgency))


def hint_after_commit(pk: uuid.UUID, urgency: Urgency) -> None:
    """Tell the workers of a waiting row as soon as it can be seen."""
    transaction.on_commit(partial(_announcer.hint, pk, urgency))


class _Announcer:
    """Hands message ids to Celery from a daemon thread, started at the first hint in each process."""

    def __init__(self) -> None:
        self._hints: queue.Queue[tuple[uuid.UUID, Urgency, str]] = queue.Queue(WAITING_HINTS)
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def hint(self, pk: uuid.UUID, urgency: Urgency) -> None:
        with self._start:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
                self._thread.start()
        try:
            self._hints.put_nowait((pk, urgency, request_id.get()))
        except queue.Full:
            pass  # the broker is away; the sweep will find the row

    def _run(self) -> None:
        from portal.outbox.tasks import deliver  # tasks stand above this module

        while True:
            pk, urgency, asked_by = self._hints.get()
            request_id.set(asked_by)
            try:
                deliver.apply_async(
                    [str(pk)], queue=urgency.queue, retry=False, expires=LIFE.total_seconds()
                )
            except Exception as error:
                log.warning("broker does not answer (%s); the sweep will deliver", error)


_announcer = _Announcer()
