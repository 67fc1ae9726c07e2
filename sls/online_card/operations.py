"""
The Online Security Code Card (KB1873): requested, looked at, confirmed with two of its values.

Until it is confirmed nobody has a grant for it, so it opens nothing; afterwards nobody can look at it again.
"""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from portal import audit, throttle
from portal.caller import Caller
from portal.errors import Refused
from portal.models import User
from portal.outbox.enqueue import enqueue, message
from sls import events
from sls.catalog import DeviceKind
from sls.devices import challenges, making
from sls.devices import operations as devices
from sls.models import (
    CardRequestState,
    DeviceGrant,
    DeviceState,
    OnlineCardRequest,
    Purpose,
    SecurityDevice,
)

from .rules import CardRefusal


def request(*, by: Caller, now: datetime) -> OnlineCardRequest:
    """Make a card for the caller. One that he has not confirmed yet is replaced. Raises Refused."""
    assert by.user is not None, "the page needs a login"
    with audit.refusals(event=events.CARD_REQUESTED, by=by, subject=by.user, at=now):
        if throttle.spend([(throttle.ONLINE_CARDS_OF_USER, by.username)], now=now):
            raise Refused(CardRefusal.TOO_MANY_CARDS)
        return _request(by.user, by=by, now=now)


@transaction.atomic(durable=True)
def _request(user: User, *, by: Caller, now: datetime) -> OnlineCardRequest:
    if not User.objects.locked().filter(pk=user.pk, is_active=True).exists():
        raise Refused(CardRefusal.REQUEST_OVER)
    unconfirmed = OnlineCardRequest.objects.filter(user=user, state=CardRequestState.SHOWN)
    replaced = list(unconfirmed.values_list("device", flat=True))
    unconfirmed.update(state=CardRequestState.REPLACED)
    SecurityDevice.objects.filter(pk__in=replaced).update(state=DeviceState.REVOKED)
    expires_at = now + settings.CARD_REQUEST_LIFE
    device = making.new_code_card(
        serial=making.new_serial("OCC"),
        kind=DeviceKind.ONLINE_CARD,
        now=now,
        expires_at=expires_at,
    )
    device.save(force_insert=True)
    card = OnlineCardRequest.objects.create(
        user=user, device=device, requested_at=now, expires_at=expires_at
    )
    enqueue([message(user=user, event="online_card_requested", fact=str(card.pk), now=now)])
    audit.record(
        event=events.CARD_REQUESTED, by=by, subject=user, at=now, device=device.serial_masked
    )
    return card


def show(card: OnlineCardRequest, *, by: Caller, now: datetime) -> tuple[str, ...]:
    """The values of a card that waits for confirmation; every look is on record. Raises Refused."""
    with audit.refusals(event=events.CARD_SHOWN, by=by, subject=by.user, at=now):
        return _show(card, by=by, now=now)


@transaction.atomic(durable=True)
def _show(card: OnlineCardRequest, *, by: Caller, now: datetime) -> tuple[str, ...]:
    if card.user_id != (by.user and by.user.pk) or not _still_shown(card, now=now).exists():
        raise Refused(CardRefusal.REQUEST_OVER)
    cells = challenges.cells_of(card.device)
    audit.record(
        event=events.CARD_SHOWN, by=by, subject=by.user, at=now, device=card.device.serial_masked
    )
    return cells


@transaction.atomic(durable=True)
def ask(card: OnlineCardRequest, *, by: Caller, now: datetime) -> None:
    """Ask the caller for two values of the card. Raises Refused."""
    assert by.user is not None
    card.challenge = challenges.issue(
        user=by.user, device=card.device, purpose=Purpose.ACTIVATE, session=by.session, now=now
    )
    if not _still_shown(card, now=now).filter(user=by.user).update(challenge=card.challenge):
        raise Refused(CardRefusal.REQUEST_OVER)


def confirm(card: OnlineCardRequest, *, response: str, by: Caller, now: datetime) -> DeviceGrant:
    """
    Judge the two values; the card is then the caller's device, and ends his Temporary Code and any older
    card. Raises Refused.
    """
    with audit.refusals(
        event=events.CARD_CONFIRMED,
        by=by,
        subject=by.user,
        at=now,
        device=card.device.serial_masked,
    ):
        if card.challenge is None or by.user is None:
            raise Refused(CardRefusal.REQUEST_OVER)
        challenges.spend(card.challenge, users=[by.user], session=by.session, now=now)
        return _confirm(card, response, by=by, now=now)


@transaction.atomic(durable=True)
def _confirm(card: OnlineCardRequest, response: str, *, by: Caller, now: datetime) -> DeviceGrant:
    # Locked, because a share that is decided meanwhile must see the card, or be seen.
    ours = User.objects.locked().select_related("entity")
    user = ours.filter(pk=card.user_id, is_active=True).first()
    if user is None or user != by.user or card.challenge is None:
        raise Refused(CardRefusal.REQUEST_OVER)
    challenges.answer(
        card.challenge,
        response,
        users=[user],
        purpose=Purpose.ACTIVATE,
        session=by.session,
        now=now,
    )
    claimed = _still_shown(card, now=now).filter(challenge=card.challenge)
    if not claimed.update(state=CardRequestState.CONFIRMED, confirmed_at=now):
        raise Refused(CardRefusal.REQUEST_OVER)
    card.device.expires_at = now + settings.ONLINE_CARD_LIFE
    card.device.save(update_fields=["expires_at"])
    ended = devices.retire(user, [DeviceKind.TEMPORARY_CODE, DeviceKind.ONLINE_CARD], now=now)
    grant = devices.activate(card.device, user, now=now)
    _tell(card, user, now=now)
    audit.record(
        event=events.CARD_CONFIRMED,
        by=by,
        subject=user,
        at=now,
        device=card.device.serial_masked,
        expires_at=card.device.expires_at.isoformat(),
        ended=[grant.device.serial_masked for grant in ended],
    )
    return grant


def _tell(card: OnlineCardRequest, user: User, *, now: datetime) -> None:
    expires_on = (now + settings.ONLINE_CARD_LIFE).date().isoformat()
    words = message(
        user=user,
        event="online_card_confirmed",
        fact=str(card.pk),
        now=now,
        serial=card.device.serial_masked,
        expires_on=expires_on,
    )
    enqueue([words])


def close_expired(*, now: datetime) -> None:
    """What nobody confirmed in time; its device ends as every expired device does."""
    over = OnlineCardRequest.objects.filter(state=CardRequestState.SHOWN, expires_at__lte=now)
    over.update(state=CardRequestState.EXPIRED)


def _still_shown(card: OnlineCardRequest, *, now: datetime) -> QuerySet[OnlineCardRequest]:
    return OnlineCardRequest.objects.filter(
        pk=card.pk, state=CardRequestState.SHOWN, expires_at__gt=now
    )
