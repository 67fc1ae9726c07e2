"""
The demo's people, devices and secrets: invented, fixed, and the same at every run.

They never leave this machine, where a newcomer can hold every device in his hand.
"""

import hashlib
import uuid
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from sls.catalog import DSC_PLUS_SUITE, IB_KEY_SUITE, DeviceKind

from .handset import Handset

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
CELLS = 224


@dataclass(frozen=True)
class DemoEntity:
    key: str
    name: str
    date_of_birth: date
    citizenship: str
    country_of_residence: str
    document_type: str
    document_number: str
    document_expires_on: date
    ssn: str = ""

    @property
    def phone_number(self) -> str:
        """In E.164 form, from a range kept for fiction (+44 7700 900xxx)."""
        return f"+447700900{_secret(self.key, 'phone')[0]:03}"


ADMINISTRATOR = "administrator"  # no group: he may do everything


@dataclass(frozen=True)
class DemoUser:
    username: str
    plays: str
    entity: str
    staff_group: str = ""
    language: str = "en"

    @property
    def password(self) -> str:
        return f"{self.username}-Demo-2026"

    @property
    def is_staff(self) -> bool:
        return bool(self.staff_group)


def _secret(serial: str, what: str) -> bytes:
    return hashlib.sha256(f"client portal demo|{serial}|{what}".encode()).digest()


@dataclass(frozen=True)
class DemoDevice:
    serial: str
    kind: DeviceKind
    user: str
    pin: str = ""
    suite: str = field(default="")

    @property
    def secret(self) -> str:
        """The key as hex digits; empty for a card."""
        return _secret(self.serial, "key").hex() if self.suite else ""

    @property
    def cells(self) -> dict[str, str]:
        """The values of a card by index, empty for anything else."""
        if self.kind not in (DeviceKind.CODE_CARD, DeviceKind.ONLINE_CARD):
            return {}
        digests = (_secret(self.serial, f"cell {index}") for index in range(1, CELLS + 1))
        return {
            str(index): "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:3])
            for index, digest in enumerate(digests, 1)
        }

    @property
    def temporary_code(self) -> str:
        digest = _secret(self.serial, "code")
        return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:8])


ROBIN = DemoEntity(
    "robin",
    "Robin Calder",
    date(1979, 3, 14),
    "NZ",
    "NZ",
    "passport",
    "LX 204-7713",
    date(2031, 8, 1),
)
ENTITIES = [
    ROBIN,
    DemoEntity(**(asdict(ROBIN) | {"key": "robin-trust"})),
    DemoEntity(
        **(
            asdict(ROBIN)
            | {
                "key": "robin-old",
                "document_number": "LK 118-2090",
                "document_expires_on": date(2021, 8, 1),
            }
        )
    ),
    DemoEntity(
        "stranger",
        "Tamsin Orrery",
        date(1988, 11, 2),
        "CA",
        "CA",
        "passport",
        "QP 551-0926",
        date(2030, 5, 20),
    ),
    DemoEntity(
        "mei",
        "Mei Lantern",
        date(1991, 6, 30),
        "SG",
        "CN",
        "national_id",
        "S9117 205 K",
        date(2033, 1, 9),
    ),
    DemoEntity(
        "officer",
        "Ada Quill",
        date(1975, 1, 7),
        "IE",
        "IE",
        "passport",
        "IE 774-0031",
        date(2032, 2, 2),
    ),
    DemoEntity(
        "second",
        "Bram Teller",
        date(1983, 9, 9),
        "NL",
        "NL",
        "passport",
        "NL 330-9182",
        date(2032, 2, 2),
    ),
    DemoEntity(
        "lead",
        "Fern Keel",
        date(1972, 10, 21),
        "FI",
        "FI",
        "passport",
        "FI 518-7702",
        date(2032, 2, 2),
    ),
    DemoEntity(
        "support",
        "Cleo Harbour",
        date(1994, 4, 4),
        "ES",
        "ES",
        "passport",
        "ES 104-5544",
        date(2032, 2, 2),
    ),
    DemoEntity(
        "auditor",
        "Dov Ledger",
        date(1969, 12, 1),
        "IL",
        "DE",
        "passport",
        "DE 901-1177",
        date(2032, 2, 2),
    ),
    DemoEntity(
        "admin",
        "Edda Root",
        date(1986, 7, 17),
        "IS",
        "IS",
        "passport",
        "IS 662-4410",
        date(2032, 2, 2),
    ),
]

USERS = [
    DemoUser("robin.calder", "requester", "robin"),
    DemoUser("robin.savings", "owner", "robin"),
    DemoUser("robin.new", "no_device", "robin"),
    DemoUser("robin.trust", "other_entity", "robin-trust"),
    DemoUser("robin.old", "outdated_document", "robin-old"),
    DemoUser("tamsin.orrery", "stranger", "stranger"),
    DemoUser("robin.travel", "temporary_code", "robin"),
    DemoUser("mei.lantern", "phone_user", "mei", language="zh-hans"),
    DemoUser("ada.quill", "officer", "officer", "Compliance officer"),
    DemoUser("bram.teller", "second_officer", "second", "Compliance officer"),
    DemoUser("fern.keel", "lead", "lead", "Compliance lead"),
    DemoUser("robin.desk", "officer_client", "robin", "Compliance officer"),
    DemoUser("cleo.harbour", "support", "support", "Support"),
    DemoUser("dov.ledger", "auditor", "auditor", "Auditor"),
    DemoUser("edda.root", "administrator", "admin", ADMINISTRATOR),
]


def _dsc(serial: str, user: str, pin: str) -> DemoDevice:
    return DemoDevice(serial, DeviceKind.DSC_PLUS, user, pin, DSC_PLUS_SUITE)


DEVICES = [
    DemoDevice("SCC-10020042", DeviceKind.CODE_CARD, "robin.calder"),
    _dsc("DSC-30010017", "robin.savings", "4826"),
    _dsc("DSC-30010024", "robin.trust", "7153"),
    _dsc("DSC-30010031", "robin.old", "2609"),
    _dsc("DSC-30010048", "tamsin.orrery", "9374"),
    _dsc("DSC-30010055", "robin.travel", "5081"),
    DemoDevice("TMP-50010009", DeviceKind.TEMPORARY_CODE, "robin.travel"),
    _dsc("DSC-30010062", "ada.quill", "3718"),
    _dsc("DSC-30010079", "bram.teller", "6240"),
    _dsc("DSC-30010086", "robin.desk", "8195"),
    _dsc("DSC-30010093", "cleo.harbour", "1467"),
    _dsc("DSC-30010109", "dov.ledger", "5932"),
    _dsc("DSC-30010116", "edda.root", "7048"),
    _dsc("DSC-30010123", "fern.keel", "8352"),
]
PHONE_PIN = "7kX!2"
PHONES = [
    DemoDevice("IBK-70010003", DeviceKind.IB_KEY, "mei.lantern", PHONE_PIN, suite=IB_KEY_SUITE)
]


def phone_id(serial: str, what: str) -> str:
    """The ids of a demo phone, and of its username on it."""
    return str(uuid.UUID(bytes=_secret(serial, what)[:16], version=4))


def handset(base_url: str) -> Handset:
    """The demo's phone as its holder has it, for `manage.py phone`."""
    (device,) = PHONES
    user = phone_id(device.serial, "user")
    made = Handset(
        base_url=base_url.rstrip("/"),
        device_secret=_secret(device.serial, "device secret").hex(),
        salt=_secret(device.serial, "salt")[:16].hex(),
        private_key=_secret(device.serial, "private key").hex(),
        phone=phone_id(device.serial, "phone"),
        users={device.user: user},
    )
    made.pin_key = made.masked(pin_key(device), device.pin, "pin")
    made.ocra_keys = {user: made.masked(bytes.fromhex(device.secret), device.pin, f"ocra|{user}")}
    return made


def pin_key(device: DemoDevice) -> bytes:
    return _secret(device.serial, "pin key")


def person_of(entity_key: str) -> str:
    """Who stands behind an entity: the three of Robin Calder are one person."""
    return next(entity.name for entity in ENTITIES if entity.key == entity_key)


def as_json() -> dict[str, list[dict[str, Any]]]:
    """The cast as `manage.py demo --json` writes it."""
    users = [
        {
            "username": user.username,
            "password": user.password,
            "plays": user.plays,
            "person": person_of(user.entity),
            "entity": user.entity,
        }
        for user in USERS
    ]
    devices = [
        {
            "serial": device.serial,
            "kind": str(device.kind),
            "user": device.user,
            "suite": device.suite,
            "secret": device.secret,
            "pin": device.pin,
            "cells": device.cells,
            "code": device.temporary_code if device.kind == DeviceKind.TEMPORARY_CODE else "",
        }
        for device in DEVICES
    ]
    phones = [
        {
            "serial": p.serial,
            "user": p.user,
            "suite": p.suite,
            "secret": p.secret,
            "pin": p.pin,
            "phone": phone_id(p.serial, "phone"),
        }
        for p in PHONES
    ]
    return {"users": users, "devices": devices, "phones": phones}
