"""Handing one message over: claimed by one worker, told once, and every attempt on record."""

import logging
import time
import uuid
from datetime import datetime, timedelta
from functools import cache
from importlib import import_module
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from portal import vault
from portal.metrics.counts import counts
from portal.models import (
    AttemptOutcome,
    Channel,
    MessageState,
    OutboxAttempt,
    OutboxMessage,
    Receipt,
    Urgency,
)
from portal.models.outbox import SET_ASIDE, WAITING

from . import budgets, ledger, rendering
from .channels.base import DeliveryError, Handed, Message

log = logging.getLogger(__name__)

PAUSES = [timedelta(seconds=s) for s in (5, 30, 120, 600, 1800)]
MOST_TURNS = 5  # providers asked one after the other


def overdue(*, now: datetime, at_most: int, urgency: Urgency | None = None) -> list[uuid.UUID]:
    """
    Ids of messages whose next try has come, those with an expired lease included; the urgent ones first, then
    the oldest.
    """
    waiting = OutboxMessage.objects.filter(state__in=WAITING, next_try_at__lte=now)
    if urgency is not None:
        waiting = waiting.filter(urgency=urgency)
    ordered = waiting.order_by("urgency", "next_try_at")
    return list(ordered.values_list("pk", flat=True)[:at_most])


def early(*, now: datetime, at_most: int, urgency: Urgency | None = None) -> list[uuid.UUID]:
    """Ids of untried messages that a machine whose clock is ahead has written."""
    waiting = ledger.early(now=now)
    if urgency is not None:
        waiting = waiting.filter(urgency=urgency)
    return list(waiting.values_list("pk", flat=True)[:at_most])


def deliver(message_id: uuid.UUID, *, now: datetime) -> bool:
    """
    Claim the message and hand it to its channel, and to the next provider when one fails; False when it is
    not handed over, or there was nothing to do.
    """
    attempt = Attempt(now)
    for _turn in range(MOST_TURNS):
        is_sent = attempt.make(message_id)
        if not attempt.another:
            return is_sent
        attempt = Attempt(attempt.ends())
    return False


class Attempt:
    """One attempt, from the claim to the closing of the row."""

    def __init__(self, now: datetime) -> None:
        self.started_at = now
        self.another = False  # the next provider may be asked at once
        self._began = time.monotonic()

    def ends(self) -> datetime:
        return self.started_at + timedelta(seconds=time.monotonic() - self._began)

    def make(self, message_id: uuid.UUID) -> bool:
        row = ledger.claim(message_id, now=self.started_at)
        if row is None:
            return False
        self.row = row
        if row.expires_at <= self.started_at:
            _blank(row)
            self._close(MessageState.EXPIRED, AttemptOutcome.EXPIRED)
            return False
        if row.receipt == Receipt.DELIVERED:  # of an attempt that we were not sure of
            return self._has_arrived()
        is_first = row.channel == Channel.SMS and not row.segments  # never rendered before
        try:
            channel = import_module(settings.MESSAGE_CHANNELS[row.channel])
            letter = rendering.render(row)
        except vault.VaultError:  # perhaps a worker that has not got the newest key yet
            log.exception("message %s does not open", row.pk)
            self._postpone(DeliveryError("VaultError"))
            return False
        except Exception as error:
            # Whatever it is, another try would not help, and others wait behind it.
            log.exception("message %s cannot be rendered", row.pk)
            self._set_aside(MessageState.FAILED, AttemptOutcome.FAILED, type(error).__name__)
            return False
        if is_first and (spent := budgets.over(row, letter.to, now=self.started_at)):
            self._set_aside(MessageState.REFUSED, AttemptOutcome.REFUSED, spent)
            return False
        return self._hand_over(channel, letter)

    def _has_arrived(self) -> bool:
        self.row.sent_at = self.row.receipt_at
        self.row.last_error = ""
        _blank(self.row)
        answer = "a receipt has come"
        return self._close(MessageState.SENT, AttemptOutcome.HANDED_OVER, answer=answer)

    def _hand_over(self, channel: Any, letter: Message) -> bool:
        row = self.row
        try:
            told = channel.send(letter) or ""
        except DeliveryError as error:
            self._postpone(error, cost=rendering.cost_of(row) if error.unsure else 0)
            if error.gone:
                _tell_that_it_is_gone(row, letter, now=self.started_at)
            return False
        except Exception as error:  # a defect of the channel: it must not stop the sweep
            log.exception("message %s cannot be handed over", row.pk)
            self._postpone(DeliveryError(type(error).__name__, unsure=True))
            return False
        handed = told if isinstance(told, Handed) else Handed(told)
        cost = rendering.cost_of(row)
        row.sent_at = self.started_at
        row.last_error = ""
        row.gateway_id = handed.gateway_id[:80]
        row.provider = handed.provider
        row.cost_units += cost
        row.maybe_twice = row.maybe_twice and not handed.is_idempotent
        _blank(row)
        return self._close(
            MessageState.SENT,
            AttemptOutcome.HANDED_OVER,
            provider=handed.provider or _name(channel),
            gateway_id=row.gateway_id,
            cost_units=cost,
        )

    def _postpone(self, error: DeliveryError, *, cost: int = 0) -> None:
        row = self.row
        row.maybe_twice = row.maybe_twice or error.unsure
        row.cost_units += cost
        row.last_error = str(error)[:200]
        facts = {
            "provider": error.provider,
            "answer": row.last_error,
            "unsure": error.unsure,
            "cost_units": cost,
        }
        if error.permanent or row.attempts > len(PAUSES):
            self._close(MessageState.FAILED, AttemptOutcome.FAILED, **facts)
            return
        pause = timedelta(0) if error.another else PAUSES[row.attempts - 1]
        row.next_try_at = min(self.started_at + pause, row.expires_at)
        self.another = error.another
        self._close(MessageState.QUEUED, AttemptOutcome.FAILED, **facts)

    def _set_aside(self, state: MessageState, outcome: AttemptOutcome, answer: str) -> None:
        self.row.last_error = answer[:200]
        self._close(state, outcome, answer=answer[:200])

    def _close(self, state: MessageState, outcome: AttemptOutcome, **facts: Any) -> bool:
        self.row.state = state
        attempt = OutboxAttempt(
            started_at=self.started_at, ended_at=self.ends(), outcome=outcome, **facts
        )
        is_closed = ledger.close(self.row, attempt)
        if is_closed and state != MessageState.QUEUED:
            counts.add("messages", self.row.channel, str(state))
        return is_closed


def _blank(row: OutboxMessage) -> None:
    row.context = row.recipient = ""


@cache
def _name(channel: Any) -> str:
    """A channel that names no provider is one: "email", "webpush", "folder"."""
    return str(getattr(channel, "__name__", "")).rpartition(".")[2][:40]


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


def blank_what_is_over(*, now: datetime) -> int:
    """What was set aside and can no longer be sent again loses its words; how many."""
    over = OutboxMessage.objects.filter(state__in=SET_ASIDE, expires_at__lte=now)
    return over.exclude(context="").update(context="", recipient="")
