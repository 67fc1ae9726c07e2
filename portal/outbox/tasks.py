"""
The Celery jobs of the outbox. All may run twice, late or at once: the rows decide what is done.

Each urgency has its queue and its own sweep, so a slow mail server holds up nothing that somebody waits for.
"""

import time
import uuid
from collections.abc import Iterator
from functools import partial
from itertools import takewhile

from celery import shared_task

from portal import steps
from portal.clock import shared_now
from portal.models import Urgency

from . import delivery

SWEEP_SIZE = 200
SWEEP_SECONDS = 20  # then the next sweep goes on; well within the time limits


@shared_task
def deliver(message_id: str) -> None:
    _deliver(uuid.UUID(message_id))


@shared_task(expires=30)
def sweep(urgency: int | None = None) -> None:
    """Deliver what nobody has delivered: lost hints, dead workers, gateways that were down."""
    ends = time.monotonic() + SWEEP_SECONDS
    kind = None if urgency is None else Urgency(urgency)
    steps.take(
        partial(_deliver, message_id)
        for message_id in takewhile(lambda _: time.monotonic() < ends, _waiting(kind))
    )


def _waiting(kind: Urgency | None) -> Iterator[uuid.UUID]:
    yield from delivery.overdue(now=shared_now(), at_most=SWEEP_SIZE, urgency=kind)
    yield from delivery.early(now=shared_now(), at_most=SWEEP_SIZE, urgency=kind)


def _deliver(message_id: uuid.UUID) -> None:
    delivery.deliver(message_id, now=shared_now())


@shared_task(expires=300)
def tidy() -> None:
    """Take the words out of messages that nobody may send again."""
    delivery.blank_what_is_over(now=shared_now())
