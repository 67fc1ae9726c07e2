"""How far a device reaches: everybody who uses it, and what stands in his way or helps him."""

import uuid
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sls.devices import queries as devices
from sls.devices.queries import Affected
from sls.devices.rules import ends_soon
from sls.models import PhoneUser, Suspension


@dataclass(frozen=True)
class Reached:
    """One user of a device, his phones, and which of his remaining ways in end soon."""

    affected: Affected
    phones: list[str]
    has_only_what_ends: bool


def reach(device_id: uuid.UUID, *, now: datetime) -> list[Reached]:
    """
    Everybody who may answer with the device, its owner first. Two queries, whatever the number of users.
    """
    rows = devices.affected_by(device_id, now=now)
    on_phones = defaultdict(list)
    active = PhoneUser.objects.filter(user__in=[row.user_id for row in rows], is_active=True)
    for found in active.select_related("phone").order_by("activated_at", "pk"):
        label = f"{found.phone} ({found.phone.get_state_display()})"
        on_phones[found.user_id].append(label)
    return [
        Reached(
            affected=row,
            phones=on_phones[row.user_id],
            has_only_what_ends=bool(row.left) and row.left == ends_soon(row.left, now),
        )
        for row in rows
    ]


def open_suspension(device_id: uuid.UUID) -> Suspension | None:
    rows = Suspension.objects.filter(device=device_id, resumed_at__isnull=True)
    return rows.select_related("suspended_by").first()
