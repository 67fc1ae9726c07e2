"""Reading what became of messages: for staff the whole story, for the client one sentence and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.models import (
    AttemptOutcome,
    Channel,
    MessageState,
    OutboxAttempt,
    OutboxMessage,
    Receipt,
    User,
)

from . import countries
from .enqueue import key_of

Words = str | Promise


@dataclass(frozen=True)
class Event:
    """One line of a message's story."""

    at: datetime
    what: Words
    provider: str = ""
    answer: str = ""
    seconds: float | None = None  # how long an attempt took
    unsure: bool = False


def timeline(row: OutboxMessage) -> list[Event]:
    """Written, each attempt, the receipt; one query."""
    story = [Event(row.created_at, _("Written"))]
    story += map(_told, OutboxAttempt.objects.filter(message=row).order_by("number"))
    if row.receipt_at is not None:
        receipt = Receipt(row.receipt)
        story.append(Event(row.receipt_at, receipt.label, row.provider))
    return sorted(story, key=lambda event: event.at)


def _told(attempt: OutboxAttempt) -> Event:
    return Event(
        attempt.started_at,
        AttemptOutcome(attempt.outcome).label,
        attempt.provider,
        attempt.answer or attempt.gateway_id,
        (attempt.ended_at - attempt.started_at).total_seconds(),
        attempt.unsure,
    )


class Progress(StrEnum):
    WAITING = "waiting"
    HANDED_OVER = "handed_over"
    DELIVERED = "delivered"
    NOT_DELIVERED = "not_delivered"
    OVER_BUDGET = "over_budget"
    TOO_LATE = "too_late"


SENTENCES: dict[Progress, Words] = {
    Progress.WAITING: _("The message is on its way to your carrier."),
    Progress.HANDED_OVER: _("Handed to your carrier, not confirmed. It may take a minute."),
    Progress.DELIVERED: _("Delivered to your phone."),
    Progress.NOT_DELIVERED: _("The message could not be delivered."),
    Progress.OVER_BUDGET: _("No message was sent: too many go to this country or number now."),
    Progress.TOO_LATE: _("The message was not sent in time."),
}
CURES: dict[Progress, Words] = {
    Progress.HANDED_OVER: _(
        "Nothing there? Check that your phone is on and has a signal, then ask for a new code."
    ),
    Progress.NOT_DELIVERED: _(
        "Check the number, then ask for a new code; or choose another device."
    ),
    Progress.OVER_BUDGET: _("Choose another device, or try again in an hour."),
    Progress.TOO_LATE: _("Ask for a new code."),
}
OF_STATE = {
    MessageState.FAILED: Progress.NOT_DELIVERED,
    MessageState.REFUSED: Progress.OVER_BUDGET,
    MessageState.EXPIRED: Progress.TOO_LATE,
}
OF_RECEIPT = {
    Receipt.DELIVERED: Progress.DELIVERED,
    Receipt.UNDELIVERED: Progress.NOT_DELIVERED,
}


@dataclass(frozen=True)
class Standing:
    """What the client sees of his message. `advice` is that of the number's country."""

    progress: Progress
    advice: Sequence[Words]

    @property
    def sentence(self) -> Words:
        return SENTENCES[self.progress]

    @property
    def cure(self) -> Words:
        return CURES.get(self.progress, "")

    @property
    def is_bad(self) -> bool:
        return self.progress in OF_STATE.values()


def standing(*, user: User, event: str, fact: str) -> Standing | None:
    """Of the SMS that told this fact; None when there is none. One query."""
    key = key_of(user, event, fact, Channel.SMS)
    row = OutboxMessage.objects.filter(idempotency_key=key).first()
    if row is None:
        return None
    progress = OF_RECEIPT.get(Receipt(row.receipt)) or OF_STATE.get(MessageState(row.state))
    if progress is None:
        is_sent = row.state == MessageState.SENT
        progress = Progress.HANDED_OVER if is_sent else Progress.WAITING
    advice = () if progress is Progress.DELIVERED else countries.row(row.country).advice
    return Standing(progress, advice)
