"""Devices coming and going: provisioning, handing over, revoking."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from portal import audit, steps
from portal.caller import SYSTEM, Caller
from portal.errors import Refused
from portal.models import OutboxMessage, User
from portal.outbox.enqueue import enqueue, message
from sls import codecard, codes, events
from sls.catalog import DeviceKind
from sls.models import (
    DeviceGrant,
    DeviceState,
    GrantState,
    SecurityDevice,
    ShareRequest,
    ShareState,
)
from sls.models.device import LIVE, ON_KEPT_DEVICE
from sls.models.share import OPEN

from . import challenges, guards, making, queries
from .rules import StockLine, StockRefusal

NOT_OVER = [DeviceState.ACTIVE, DeviceState.SUSPENDED]


def take_in(lines: Sequence[StockLine], *, by: Caller, now: datetime) -> int:
    """
    Take the devices of an import into stock and hand over those with a username, all or none; how many.
    Raises Refused; ValueError for a malformed line, which the import's form lets nobody send.
    """
    devices = [_from_line(line, now=now) for line in lines]
    owners = {line.serial: line.username for line in lines if line.username}
    with audit.refusals(event=events.DEVICE_PROVISIONED, by=by, subject=None, at=now):
        try:
            provision(devices, owners=owners, by=by, now=now)
        except IntegrityError as error:
            raise Refused(StockRefusal.SERIAL_TAKEN) from error
    return len(devices)


def _from_line(line: StockLine, *, now: datetime) -> SecurityDevice:
    if line.kind == DeviceKind.DSC_PLUS:
        key = bytes.fromhex(line.secret)
        return making.new_dsc_plus(serial=line.serial, key=key, pin=line.pin, now=now)
    return making.new_code_card(serial=line.serial, now=now, cells=_cells(line.secret))


def _cells(text: str) -> list[str]:
    """A card's cells from one text without separators; none for no text."""
    size = codecard.CELL_LENGTH
    return [text[start : start + size] for start in range(0, len(text), size)]


@transaction.atomic(durable=True)
def provision(
    devices: Sequence[SecurityDevice],
    *,
    by: Caller,
    now: datetime,
    owners: Mapping[str, str] | None = None,
) -> None:
    """
    Take new devices into stock, all or none, and those whose serial number stands in `owners` over to
    that username. IntegrityError when a serial number is known already. Raises Refused for a username
    that is unknown, deactivated, of the caller's own person, or, but for an administrator, of staff.
    """
    names = owners or {}
    users = queries.active_users(set(names.values()))
    if len(users) < len(set(names.values())):
        raise Refused(StockRefusal.OWNER_UNKNOWN)
    person = guards.staff_person(by)
    if person and any(person.may_be_same_person_as(user.entity) for user in users.values()):
        raise Refused(StockRefusal.OWN_PERSON)
    if guards.is_below_administrator(by) and any(user.is_staff for user in users.values()):
        raise Refused(StockRefusal.STAFF_USERNAME)
    SecurityDevice.objects.bulk_create(devices)
    handed_over = [
        (device, users[names[device.serial]]) for device in devices if device.serial in names
    ]
    DeviceGrant.objects.bulk_create(_own(device, user, now=now) for device, user in handed_over)
    for device, user in handed_over:
        if device.traits.is_permanent:
            retire(user, [DeviceKind.SMS], now=now)
    enqueue(_told(device, user, now=now) for device, user in handed_over)
    for device, user in handed_over:
        audit.record(
            event=events.GRANT_STARTED, by=by, subject=user, at=now, device=device.serial_masked
        )
    audit.record(
        event=events.DEVICE_PROVISIONED,
        by=by,
        subject=None,
        at=now,
        serials=[device.serial_masked for device in devices],
        handed_over=[[device.serial_masked, user.username] for device, user in handed_over],
    )


def _told(device: SecurityDevice, user: User, *, now: datetime) -> OutboxMessage:
    return message(
        user=user,
        event="device_handed_over",
        fact=str(device.pk),
        now=now,
        device=device.kind,
        serial=device.serial_masked,
    )


def _own(device: SecurityDevice, user: User, *, now: datetime) -> DeviceGrant:
    return DeviceGrant(
        user=user,
        device=device,
        name=str(DeviceKind(device.kind).label),
        state=GrantState.ACTIVE,
        confirmed=True,
        granted_at=now,
    )


@transaction.atomic(durable=True)
def hand_over(device: SecurityDevice, user: User, *, by: Caller, now: datetime) -> DeviceGrant:
    """Make `user` the owner of a device from stock; it is active at once."""
    grant = _own(device, user, now=now)
    grant.save(force_insert=True)
    if device.traits.is_permanent:
        retire(user, [DeviceKind.SMS], now=now)
    enqueue([_told(device, user, now=now)])
    audit.record(
        event=events.GRANT_STARTED, by=by, subject=user, at=now, device=device.serial_masked
    )
    return grant


def print_card(device: SecurityDevice, *, by: Caller, now: datetime) -> tuple[str, ...]:
    """The cells of a card that has not answered yet, once more on record each time. Raises Refused."""
    with audit.refusals(
        event=events.CARD_PRINTED, by=by, subject=None, at=now, device=device.serial_masked
    ):
        return _print_card(device, by=by, now=now)


@transaction.atomic(durable=True)
def _print_card(device: SecurityDevice, *, by: Caller, now: datetime) -> tuple[str, ...]:
    if device.kind != DeviceKind.CODE_CARD or device.state == DeviceState.REVOKED:
        raise Refused(StockRefusal.NOT_PRINTABLE)
    if queries.has_answered(device):
        raise Refused(StockRefusal.CARD_IN_USE)
    guards.refuse_persons(device, by)
    cells = challenges.cells_of(device)
    own = DeviceGrant.objects.filter(device=device, state__in=LIVE, share__isnull=True)
    grant = own.select_related("user").first()
    audit.record(
        event=events.CARD_PRINTED,
        by=by,
        subject=grant.user if grant else None,
        at=now,
        device=device.serial_masked,
    )
    return cells


def revoke(
    device: SecurityDevice,
    *,
    reason: str,
    by: Caller,
    now: datetime,
    may_strand: bool = False,
) -> bool:
    """
    End a device for its owner and all who share it, at once: grants end, sessions opened with them lose
    their verification, open challenges die with the device. False when it was revoked already. Raises
    Refused for a member of staff whose own person uses the device, and where a user would be left without
    any way in, unless `may_strand` says that this is meant.
    """
    with audit.refusals(
        event=events.DEVICE_REVOKED, by=by, subject=None, at=now, device=device.serial_masked
    ):
        return _revoke(device, reason, may_strand, by=by, now=now)


@transaction.atomic(durable=True)
def _revoke(
    device: SecurityDevice, reason: str, may_strand: bool, *, by: Caller, now: datetime
) -> bool:
    guards.refuse_persons(device, by)
    # Read before the claim, which takes the ways in away; read inside, because a colleague may be at it too.
    stranded = queries.stranded_by(device, now=now)
    claimed = SecurityDevice.objects.filter(pk=device.pk).exclude(state=DeviceState.REVOKED)
    if not claimed.update(state=DeviceState.REVOKED):
        return False
    if stranded and not may_strand:
        raise Refused(StockRefusal.WOULD_STRAND, users=stranded)
    # Shares before grants: a share that comes into force meanwhile is waited for here, and its grant is
    # then seen by what follows.
    ShareRequest.objects.filter(
        device=device, state__in=[*OPEN, ShareState.ENFORCED, ShareState.PENDING]
    ).update(state=ShareState.CANCELLED, ended_at=now)
    live = DeviceGrant.objects.filter(device=device, state__in=LIVE)
    grants = list(live.select_related("user").order_by("user__username"))
    borrowers = [grant.user_id for grant in grants if grant.is_borrowed]
    live.update(state=GrantState.ENDED, confirmed=False, ended_at=now)
    # Whoever loses a borrowed device gets his own back: nobody is left with one factor unawares.
    DeviceGrant.objects.filter(ON_KEPT_DEVICE, user__in=borrowers, state=GrantState.DORMANT).update(
        state=GrantState.ACTIVE, confirmed=True
    )
    _tell_revoked(device, grants, by=by, now=now, stranded=stranded, reason=reason)
    return True


def _tell_revoked(
    device: SecurityDevice,
    grants: list[DeviceGrant],
    *,
    by: Caller,
    now: datetime,
    **facts: Any,
) -> None:
    """A message to each user; one audit row of the device, and one for each user, in whose history it stands."""
    enqueue(
        message(
            user=grant.user,
            event="device_revoked",
            fact=str(device.pk),
            now=now,
            device=device.kind,
            serial=device.serial_masked,
        )
        for grant in grants
    )
    names = [grant.user.username for grant in grants]
    record = partial(
        audit.record, event=events.DEVICE_REVOKED, by=by, at=now, device=device.serial_masked
    )
    record(subject=None, users=names, **facts)
    for grant in grants:
        record(subject=grant.user)


@transaction.atomic
def give_temporary_code(user: User, *, now: datetime) -> tuple[DeviceGrant, str]:
    """Draw a code for `user`, in place of any he has; the grant, and the code for the only time."""
    retire(user, [DeviceKind.TEMPORARY_CODE], now=now)
    code = codes.new_temporary()
    device = making.new_temporary_code(serial=making.new_serial("TMP"), code=code, now=now)
    device.save(force_insert=True)
    return activate(device, user, now=now), code


@transaction.atomic
def activate(device: SecurityDevice, user: User, *, now: datetime) -> DeviceGrant:
    """Make `user` the owner of a device that nobody has; the caller tells and records it."""
    grant = _own(device, user, now=now)
    grant.save(force_insert=True)
    return grant


@transaction.atomic
def retire(user: User, kinds: Sequence[DeviceKind], *, now: datetime) -> list[DeviceGrant]:
    """End the user's own devices of these kinds, which nobody else uses; the grants that ended."""
    mine = DeviceGrant.objects.filter(
        user=user, share__isnull=True, state__in=LIVE, device__kind__in=kinds
    )
    ended = list(mine.select_related("device"))
    SecurityDevice.objects.filter(pk__in=[grant.device_id for grant in ended]).update(
        state=DeviceState.REVOKED
    )
    DeviceGrant.objects.filter(pk__in=[grant.pk for grant in ended], state__in=LIVE).update(
        state=GrantState.ENDED, confirmed=False, ended_at=now
    )
    return ended


def close_expired(*, now: datetime) -> None:
    """
    End the devices whose life is over, and SMS codes beside a permanent device. Every reader looks for
    himself; this puts it on record.
    """
    sms = DeviceGrant.objects.filter(device__kind=DeviceKind.SMS, state=GrantState.ACTIVE)
    outlived = sms.filter(Exists(queries.permanent_grants(user=OuterRef("user"))))
    over = SecurityDevice.objects.filter(expires_at__lte=now, state__in=NOT_OVER).defer("secret")
    steps.take(
        chain(
            (partial(_end_sms, grant.user, now=now) for grant in outlived.select_related("user")),
            (partial(_expire, device, now=now) for device in over),
        )
    )


@transaction.atomic(durable=True)
def _end_sms(user: User, *, now: datetime) -> None:
    for grant in retire(user, [DeviceKind.SMS], now=now):
        audit.record(
            event=events.SMS_ENDED,
            by=SYSTEM,
            subject=user,
            at=now,
            device=grant.device.serial_masked,
        )


@transaction.atomic(durable=True)
def _expire(device: SecurityDevice, *, now: datetime) -> None:
    claimed = SecurityDevice.objects.filter(pk=device.pk, state__in=NOT_OVER, expires_at__lte=now)
    if not claimed.update(state=DeviceState.EXPIRED):
        return
    live = DeviceGrant.objects.filter(device=device, state__in=LIVE)
    users = [grant.user for grant in live.select_related("user").order_by("pk")]
    live.update(state=GrantState.ENDED, confirmed=False, ended_at=now)
    for user in users:
        audit.record(
            event=events.DEVICE_EXPIRED,
            by=SYSTEM,
            subject=user,
            at=now,
            device=device.serial_masked,
            kind=device.kind,
        )
