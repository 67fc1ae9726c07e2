"""New devices, not saved yet, with their secrets sealed."""

import json
import secrets
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings

from portal import vault
from sls import codecard, oath
from sls.catalog import DSC_PLUS_SUITE, IB_KEY_SUITE, DeviceKind
from sls.models import SecurityDevice


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
    expires_at: datetime | None = None,
) -> SecurityDevice:
    """An unsaved card with its sealed cells; new random ones unless given."""
    device = SecurityDevice(kind=kind, serial=serial, created_at=now, expires_at=expires_at)
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
    """An unsaved Temporary Code, whose two stages are counted from `now`."""
    full_until = now + settings.TEMPORARY_CODE_FULL
    device = SecurityDevice(
        kind=DeviceKind.TEMPORARY_CODE,
        serial=serial,
        created_at=now,
        full_access_until=full_until,
        expires_at=full_until + settings.TEMPORARY_CODE_LIMITED,
    )
    vault.sealed_field(device, "secret").seal_into(device, json.dumps({"code": code}))
    return device


def new_sms(*, number: str, now: datetime) -> SecurityDevice:
    """An unsaved stand-in for a mobile number; the serial number ends as the number does."""
    serial = f"{new_serial('SMS')}-{number[-4:]}"
    device = SecurityDevice(kind=DeviceKind.SMS, serial=serial, created_at=now)
    vault.sealed_field(device, "secret").seal_into(device, json.dumps({"number": number}))
    return device


def new_serial(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(5).upper()}"
