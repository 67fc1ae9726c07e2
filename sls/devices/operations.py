"""Devices coming and going: provisioning, handing over, revoking."""

import json
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from portal import audit, vault
from portal.caller import Caller
from portal.models import User
from sls import codecard, events, oath
from sls.catalog import DSC_PLUS_SUITE, IB_KEY_SUITE, DeviceKind
from sls.models import (
    DeviceGrant,
    DeviceState,
    GrantState,
    SecurityDevice,
    ShareRequest,
    ShareState,
)
from sls.models.device import LIVE


def new_dsc_plus(*, serial: str, key: bytes, pin: str, now: datetime) -> SecurityDevice:
    """An unsaved DSC+ with its sealed record: the key and the hash of the PIN. ValueError if malformed."""
    if len(key) < 20:
        raise ValueError("the key of a DSC+ has at least 20 bytes")
    device = SecurityDevice(kind=DeviceKind.DSC_PLUS, serial=serial, created_at=now)
    record = {
        "suite": DSC_PLUS_SUITE,
        "key": key.hex(),
        "pin_hash": oath.pin_hash(DSC_PLUS_SUITE, pin).hex(),
    }
    vault.sealed_field(device, "secret").seal_into(device, json.dumps(record))
    return device


def new_code_card(
    *,
    serial: str,
    now: datetime,
    cells: Sequence[str] | None = None,
    kind: DeviceKind = DeviceKind.CODE_CARD,
) -> SecurityDevice:
    """An unsaved card with its sealed cells; new random ones unless given."""
    device = SecurityDevice(kind=kind, serial=serial, created_at=now)
    record = {"cells": list(cells or codecard.new_cells())}
    vault.sealed_field(device, "secret").seal_into(device, json.dumps(record))
    return device


def new_ib_key(*, serial: str, key: bytes, now: datetime) -> SecurityDevice:
    """An unsaved IB Key: its OCRA key answers offline challenges; the PIN stays on the phone."""
    device = SecurityDevice(kind=DeviceKind.IB_KEY, serial=serial, created_at=now)
    record = {"suite": IB_KEY_SUITE, "key": key.hex()}
    vault.sealed_field(device, "secret").seal_into(device, json.dumps(record))
    return device


def new_temporary_code(*, serial: str, code: str, now: datetime) -> SecurityDevice:
    """An unsaved Temporary Code."""
    device = SecurityDevice(kind=DeviceKind.TEMPORARY_CODE, serial=serial, created_at=now)
    vault.sealed_field(device, "secret").seal_into(device, json.dumps({"code": code}))
    return device


@transaction.atomic(durable=True)
def provision(devices: Sequence[SecurityDevice], *, by: Caller, now: datetime) -> None:
    """Take new devices into stock, all or none. IntegrityError when a serial number is known already."""
    SecurityDevice.objects.bulk_create(devices)
    audit.record(
        event=events.DEVICE_PROVISIONED,
        by=by,
        subject=None,
        at=now,
        serials=[device.serial_masked for device in devices],
    )


@transaction.atomic(durable=True)
def hand_over(device: SecurityDevice, user: User, *, by: Caller, now: datetime) -> DeviceGrant:
    """Make `user` the owner of a device from stock; it is active at once."""
    grant = DeviceGrant.objects.create(
        user=user,
        device=device,
        name=str(DeviceKind(device.kind).label),
        state=GrantState.ACTIVE,
        confirmed=True,
        granted_at=now,
    )
    audit.record(
        event=events.GRANT_STARTED, by=by, subject=user, at=now, device=device.serial_masked
    )
    return grant


@transaction.atomic(durable=True)
def revoke(device: SecurityDevice, *, reason: str, by: Caller, now: datetime) -> bool:
    """
    End a device for its owner and all who share it, at once: grants end, sessions opened with them lose
    their verification, open challenges die with the device. False when it was revoked already.
    """
    claimed = SecurityDevice.objects.filter(pk=device.pk).exclude(state=DeviceState.REVOKED)
    if not claimed.update(state=DeviceState.REVOKED):
        return False
    grants = DeviceGrant.objects.filter(device=device, state__in=LIVE)
    borrowers = list(grants.filter(share__isnull=False).values_list("user", flat=True))
    grants.update(state=GrantState.ENDED, confirmed=False, ended_at=now)
    ShareRequest.objects.filter(
        device=device, state__in=[ShareState.ENFORCED, ShareState.PENDING]
    ).update(state=ShareState.CANCELLED, ended_at=now)
    # Whoever loses a borrowed device gets his own back: nobody is left with one factor unawares.
    DeviceGrant.objects.filter(user__in=borrowers, state=GrantState.DORMANT).update(
        state=GrantState.ACTIVE, confirmed=True
    )
    audit.record(
        event=events.DEVICE_REVOKED,
        by=by,
        subject=None,
        at=now,
        device=device.serial_masked,
        reason=reason,
    )
    return True
