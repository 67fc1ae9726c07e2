"""SMS by the provider whose turn it is in the receiver's country (`SMS_PROVIDERS`, `SMS_ROUTES`)."""

from django.utils import timezone

from . import routes
from .base import DeliveryError, Handed, Message


def send(message: Message) -> Handed:
    turn = routes.choose(message, now=timezone.now())
    provider, takes_once = turn.provider, turn.provider.is_idempotent and turn.is_alone
    try:
        gateway_id = provider.send(message)
    except DeliveryError as error:
        error.provider = provider.name
        error.unsure = error.unsure and not takes_once
        if not error.permanent:  # no fault of the number: it is the provider's
            routes.rest(provider.name, str(error), now=timezone.now())
            error.another = turn.another
        raise
    if turn.has_failed:
        routes.wake(provider.name)
    return Handed(gateway_id, provider.name, takes_once)
