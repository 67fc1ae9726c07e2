"""Handing one message over: claimed by one worker, rendered in the receiver's language, told once."""

import json
import logging
import uuid
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.module_loading import import_string

from portal import vault
from portal.models import Channel, MessageState, OutboxMessage

from . import sms
from .channels.base import DeliveryError, Message

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)  # a channel is expected to answer well within
FORGOTTEN = {"context": "", "recipient": ""}
PAUSES = [timedelta(seconds=s) for s in (5, 30, 120, 600, 1800)]


def overdue(*, now: datetime, at_most: int) -> list[uuid.UUID]:
    """Ids of messages whose next try has come, those with an expired lease included; oldest first."""
    waiting = OutboxMessage.objects.filter(
        state__in=(MessageState.QUEUED, MessageState.SENDING), next_try_at__lte=now
    )
    return list(waiting.order_by("next_try_at").values_list("pk", flat=True)[:at_most])


def deliver(message_id: uuid.UUID, *, now: datetime) -> bool:
    """Claim the message and hand it to its channel; False when there was nothing to do."""
    row = _claim(message_id, now=now)
    if row is None:
        return False
    if row.expires_at <= now:
        _close(row, state=MessageState.EXPIRED, **FORGOTTEN)
        return False
    try:
        channel = import_module(settings.MESSAGE_CHANNELS[row.channel])
        letter = render(row)
    except vault.VaultError:  # perhaps a worker that has not got the newest key yet
        log.exception("message %s does not open", row.pk)
        _postpone(row, DeliveryError("VaultError"), now=now)
        return False
    except (
        Exception
    ) as error:  # whatever it is, another try would not help, and others wait behind it
        log.exception("message %s cannot be rendered", row.pk)
        _close(row, state=MessageState.FAILED, last_error=type(error).__name__)
        return False
    try:
        gateway_id = channel.send(letter) or ""
    except DeliveryError as error:
        _postpone(row, error, now=now)
        if error.gone:
            _tell_that_it_is_gone(row, letter, now=now)
        return False
    except Exception as error:  # a defect of the channel: it must not stop the sweep
        log.exception("message %s cannot be handed over", row.pk)
        _postpone(row, DeliveryError(type(error).__name__), now=now)
        return False
    return _close(
        row,
        state=MessageState.SENT,
        sent_at=now,
        last_error="",
        gateway_id=gateway_id[:80],
        **FORGOTTEN,
    )


def _claim(message_id: uuid.UUID, *, now: datetime) -> OutboxMessage | None:
    """Take the message for the time of the lease. One that was being sent already may go out twice."""
    due = OutboxMessage.objects.filter(pk=message_id, next_try_at__lte=now)
    lease = {"next_try_at": now + LEASE, "attempts": F("attempts") + 1}
    queued, sending = MessageState.QUEUED, MessageState.SENDING
    if not due.filter(state=queued).update(state=sending, **lease) and not due.filter(
        state=sending
    ).update(maybe_twice=True, **lease):
        return None
    return OutboxMessage.objects.select_related("user__entity").get(pk=message_id)


def _close(row: OutboxMessage, **columns: object) -> bool:
    ours = Q(pk=row.pk, state=MessageState.SENDING, attempts=row.attempts)
    return OutboxMessage.objects.filter(ours).update(**columns) == 1


def _postpone(row: OutboxMessage, error: DeliveryError, *, now: datetime) -> None:
    tries_left = row.attempts <= len(PAUSES)
    answer = {
        "last_error": str(error)[:200],
        "maybe_twice": row.maybe_twice or error.unsure,
    }
    if error.permanent or not tries_left:
        _close(row, state=MessageState.FAILED, **answer)
    else:
        next_try_at = min(now + PAUSES[row.attempts - 1], row.expires_at)
        _close(row, state=MessageState.QUEUED, next_try_at=next_try_at, **answer)


def _tell_that_it_is_gone(row: OutboxMessage, letter: Message, *, now: datetime) -> None:
    """
    Upper floors own the subscriptions: the function that `PUSH_GONE` names is called with `user`,
    `subscription` (the JSON it was sent to) and `now`, outside any transaction.
    """
    if not settings.PUSH_GONE:
        return
    try:
        import_string(settings.PUSH_GONE)(user=row.user, subscription=letter.to, now=now)
    except Exception:  # the message's own fate is settled; the next push to it will tell again
        log.exception("nobody took note that the recipient of %s is gone", row.pk)


def render(row: OutboxMessage) -> Message:
    """The message in the receiver's language."""
    opened = json.loads(vault.sealed_field(row, "context").open_from(row))
    to = vault.sealed_field(row, "recipient").open_from(row) or row.user.email
    with translation.override(row.language):
        subject, text = WORDS[Channel(row.channel)](row, opened)
    return Message(
        key=row.idempotency_key,
        channel=row.channel,
        event=row.event,
        to=to,
        username=row.user.username,
        language=row.language,
        subject=subject,
        text=text,
        expires_at=row.expires_at,
    )


def _letter(row: OutboxMessage, opened: dict[str, Any]) -> tuple[str, str]:
    """The first line of the template is the subject."""
    shared = {"user": row.user, "brand": settings.BRAND, "base_url": settings.BASE_URL}
    words = render_to_string(f"messages/{row.event}/{row.channel}.txt", opened | shared)
    subject, _, text = words.strip().partition("\n")
    return " ".join(subject.split())[:150], text.strip()


def _short_text(row: OutboxMessage, opened: dict[str, Any]) -> tuple[str, str]:
    """One line without a subject. The template gets no address to make a link of."""
    shown = {name: sms.harmless(value) for name, value in opened.items()}
    words = render_to_string(f"messages/{row.event}/sms.txt", shown | {"brand": settings.BRAND})
    return "", sms.one_line(words)


def _look(row: OutboxMessage, opened: dict[str, Any]) -> tuple[str, str]:
    """Nothing but "look", and the id that the phone shows us when it asks what for."""
    return "", json.dumps({"event": "look", "id": str(opened["id"])})


WORDS = {Channel.EMAIL: _letter, Channel.SMS: _short_text, Channel.PUSH: _look}
