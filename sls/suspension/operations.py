"""
A device that may be in the wrong hands: stopped for everybody who uses it, and started again.

Threat: a lost or copied device opens every username that shares it. One transaction stops it for all of them:
its questions die, the sessions it opened end, what slept for its sake wakes, and each user is told which way
in he has left. While it is suspended nobody but staff can bring it back.
"""

from datetime import datetime
from typing import Any

from django.db import transaction

from portal import audit
from portal.caller import Caller
from portal.errors import Refused
from portal.models import User
from portal.outbox.enqueue import enqueue, message
from portal.sessions import end_proven_by
from sls import events
from sls.catalog import DeviceKind
from sls.devices import queries as devices
from sls.devices.guards import refuse_persons
from sls.devices.queries import Affected
from sls.devices.rules import StockRefusal
from sls.models import (
    Challenge,
    ChallengeState,
    DeviceGrant,
    DeviceState,
    GrantState,
    SecurityDevice,
    ShareRequest,
    ShareState,
    Suspension,
)
from sls.models.device import ON_KEPT_DEVICE
from sls.models.share import OPEN

from . import queries
from .rules import SuspensionRefusal

Users = dict[int, User]  # by id, in the order of their names


def suspend(
    device: SecurityDevice, *, reason: str, by: Caller, now: datetime, may_strand: bool = False
) -> Suspension:
    """
    Stop a device for its owner and all who share it. Raises Refused: for one's own person, for a phone, and
    where a user would be left without any way in, unless `may_strand` says that this is meant.
    """
    facts = {"device": device.serial_masked}
    with audit.refusals(event=events.DEVICE_SUSPENDED, by=by, subject=None, at=now, **facts):
        _refuse(device, by)
        return _suspend(device, reason, may_strand, by=by, now=now)


def _refuse(device: SecurityDevice, by: Caller) -> None:
    refuse_persons(device, by)
    if device.kind == DeviceKind.IB_KEY:
        raise Refused(SuspensionRefusal.FREEZE_THE_PHONE)


@transaction.atomic(durable=True)
def _suspend(
    device: SecurityDevice, reason: str, may_strand: bool, *, by: Caller, now: datetime
) -> Suspension:
    ours = SecurityDevice.objects.filter(pk=device.pk, state=DeviceState.ACTIVE)
    devices.lock(device.pk)  # waits for an approval just under way, so that its borrower is counted
    before = devices.affected_by(device.pk, now=now)
    if not ours.update(state=DeviceState.SUSPENDED):
        raise Refused(SuspensionRefusal.NOT_ACTIVE)
    stranded = [row.username for row in before if row.is_stranded]
    if stranded and not may_strand:
        raise Refused(StockRefusal.WOULD_STRAND, users=stranded)
    # Wizards end: one that is just coming into force is waited for here, and seen by what follows.
    wizards = ShareRequest.objects.filter(device=device, state__in=OPEN)
    wizards.update(state=ShareState.CANCELLED, ended_at=now)
    challenges = Challenge.objects.filter(device=device, state=ChallengeState.OPEN)
    challenges.filter(expires_at__gt=now).update(expires_at=now)
    assert by.user is not None, "the admin's pages need a login"
    rows = _users_of(device, now=now)
    _end_sessions(rows)
    row = Suspension.objects.create(
        device=device,
        reason=reason,
        awakened=_wake(rows),
        suspended_by=by.user,
        suspended_at=now,
    )
    users = _users(rows)
    _tell(users, rows, "device_suspended", row, now=now)
    _record(events.DEVICE_SUSPENDED, row, users, by=by, now=now, reason=reason, stranded=stranded)
    return row


def _users_of(device: SecurityDevice, *, now: datetime) -> list[Affected]:
    """Whose grants are in force; a request that waits for approval is none of them."""
    rows = devices.affected_by(device.pk, now=now)
    return [row for row in rows if row.mine.state == GrantState.ACTIVE]


def _borrowers(rows: list[Affected]) -> list[int]:
    return [row.user_id for row in rows if not row.is_owner]


def _wake(rows: list[Affected]) -> list[int]:
    """Bring back what slept for the sake of the device; the ids of those grants."""
    asleep = DeviceGrant.objects.filter(
        ON_KEPT_DEVICE, user__in=_borrowers(rows), state=GrantState.DORMANT
    )
    keys = list(asleep.values_list("pk", flat=True))
    asleep.filter(pk__in=keys).update(state=GrantState.ACTIVE, confirmed=True)
    return keys


def _end_sessions(rows: list[Affected]) -> None:
    grants = [DeviceGrant(pk=row.mine.grant_id, user_id=row.user_id) for row in rows]
    end_proven_by({grant.persistent_id: grant.user_id for grant in grants})


def resume(device: SecurityDevice, *, reason: str, by: Caller, now: datetime) -> Suspension:
    """Let a suspended device work again; what had woken for it goes back to sleep. Raises Refused."""
    facts = {"device": device.serial_masked}
    with audit.refusals(event=events.DEVICE_RESUMED, by=by, subject=None, at=now, **facts):
        _refuse(device, by)
        return _resume(device, reason, by=by, now=now)


@transaction.atomic(durable=True)
def _resume(device: SecurityDevice, reason: str, *, by: Caller, now: datetime) -> Suspension:
    row = queries.open_suspension(device.pk)
    ours = SecurityDevice.objects.filter(pk=device.pk, state=DeviceState.SUSPENDED)
    if row is None or not ours.update(state=DeviceState.ACTIVE):
        raise Refused(SuspensionRefusal.NOT_SUSPENDED)
    waiting = Suspension.objects.filter(pk=row.pk, resumed_at__isnull=True)
    waiting.update(resumed_by=by.user, resumed_at=now, resume_reason=reason)
    rows = _users_of(device, now=now)
    _end_sessions(rows)  # one that came to be beside the suspension: it would be verified again
    woken = DeviceGrant.objects.filter(
        pk__in=row.awakened, user__in=_borrowers(rows), state=GrantState.ACTIVE
    )
    woken.update(state=GrantState.DORMANT, confirmed=False)
    users = _users(rows)
    _tell(users, rows, "device_resumed", row, now=now)
    _record(events.DEVICE_RESUMED, row, users, by=by, now=now, reason=reason)
    return row


def _users(rows: list[Affected]) -> Users:
    """With their languages and addresses."""
    found = User.objects.filter(pk__in=[row.user_id for row in rows]).order_by("username")
    return {user.pk: user for user in found}


def _tell(
    users: Users, rows: list[Affected], event: str, about: Suspension, *, now: datetime
) -> None:
    enqueue(
        message(
            user=users[row.user_id],
            event=event,
            fact=str(about.pk),
            now=now,
            device=row.mine.kind,
            serial=row.mine.serial_masked,
            left=[one.kind for one in row.left],
        )
        for row in rows
    )


def _record(
    event: str, about: Suspension, users: Users, *, by: Caller, now: datetime, **facts: Any
) -> None:
    """
    One row for the device and one for each of its users, in whose history it stands; `group` joins them.
    """
    facts |= {"device": about.device.serial_masked, "group": str(about.pk)}
    names = [user.username for user in users.values()]
    audit.record(event=event, by=by, subject=None, at=now, users=names, **facts)
    for user in users.values():
        audit.record(event=event, by=by, subject=user, at=now, **facts)
