"""
Staff send a message again: one that was set aside, while it still has its words and its life.

Threat: a second way to make the portal send codes. So it is the same row with the same key and the same life;
what was handed over has no words any more, and a code that a newer one has replaced stays where it is.
"""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from portal import audit, events
from portal.caller import Caller
from portal.errors import Reason, Refused
from portal.models import MessagePurpose, MessageState, OutboxMessage, Urgency
from portal.models.outbox import SET_ASIDE

from . import enqueue


class ResendRefusal(Reason):
    OWN_PERSON = (
        "own_person",
        _("This message is your own"),
        _("You, or another username of yours, are its receiver."),
        _("Ask a colleague: nobody decides about himself."),
    )
    NOT_SET_ASIDE = (
        "message_not_set_aside",
        _("This message was not set aside"),
        _("Only a message that could not be handed over can be sent again."),
        _(
            "A message that waits is tried again by itself; one that was handed over has no words any more."
        ),
    )
    LIFE_IS_OVER = (
        "message_life_is_over",
        _("The life of this message is over"),
        _("What it says no longer holds: its code or link does not work any more."),
        _("Ask the client to begin again; he gets a new message."),
    )
    REPLACED = (
        "message_replaced",
        _("A newer message has replaced this one"),
        _("Only the newest code works."),
        _("Look at the newest message of this client."),
    )


def refusal(row: OutboxMessage, *, now: datetime) -> ResendRefusal | None:
    """Why the message cannot be sent again, whoever asks; one query for what is set aside, else none."""
    if row.state not in SET_ASIDE:
        return ResendRefusal.NOT_SET_ASIDE
    if row.expires_at <= now or not row.context:
        return ResendRefusal.LIFE_IS_OVER
    newer = OutboxMessage.objects.filter(
        user=row.user_id, event=row.event, channel=row.channel, created_at__gt=row.created_at
    )
    if row.purpose in (MessagePurpose.CODE, MessagePurpose.LINK) and newer.exists():
        return ResendRefusal.REPLACED
    return None


def send_again(row: OutboxMessage, *, reason: str, by: Caller, now: datetime) -> None:
    """Put the message back into the queue, once for each time that it was set aside. Raises Refused."""
    facts = {"message": str(row.pk), "message_event": row.event, "reason": reason}
    with audit.refusals(event=events.MESSAGE_SENT_AGAIN, by=by, subject=row.user, at=now, **facts):
        assert by.user is not None, "the admin's pages need a login"
        if by.user.entity.may_be_same_person_as(row.user.entity):
            raise Refused(ResendRefusal.OWN_PERSON)
        if (why := refusal(row, now=now)) is not None:
            raise Refused(why)
        _send_again(row, facts, by=by, now=now)


@transaction.atomic(durable=True)
def _send_again(row: OutboxMessage, facts: dict[str, str], *, by: Caller, now: datetime) -> None:
    as_read = OutboxMessage.objects.filter(
        pk=row.pk, state=row.state, attempts=row.attempts, expires_at__gt=now
    ).exclude(context="")
    # What was over budget asks for its budget anew: `segments` tells that it has been paid.
    unpaid = {"segments": 0} if row.state == MessageState.REFUSED else {}
    if not as_read.update(state=MessageState.QUEUED, next_try_at=now, **unpaid):
        raise Refused(ResendRefusal.NOT_SET_ASIDE)
    enqueue.hint_after_commit(row.pk, Urgency(row.urgency))
    audit.record(event=events.MESSAGE_SENT_AGAIN, by=by, subject=row.user, at=now, **facts)
