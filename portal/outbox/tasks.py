"""The Celery jobs of the outbox. Both may run twice, late or at once: the rows decide what is done."""

import uuid

from celery import shared_task
from django.utils import timezone

from . import delivery

SWEEP_SIZE = 200


@shared_task
def deliver(message_id: str) -> None:
    delivery.deliver(uuid.UUID(message_id), now=timezone.now())


@shared_task(expires=30)
def sweep() -> None:
    """Deliver what nobody has delivered: lost hints, dead workers, gateways that were down."""
    for message_id in delivery.overdue(now=timezone.now(), at_most=SWEEP_SIZE):
        delivery.deliver(message_id, now=timezone.now())
