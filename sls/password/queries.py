"""Reading what a forgotten password needs."""

import uuid
from datetime import datetime

from portal.models import User
from sls.devices.queries import answerable_grants
from sls.models import DeviceGrant, PasswordReset


def reachable_user(username: str) -> User | None:
    """The active, unlocked user to whom a link may be sent."""
    found = User.objects.filter(username=username, is_active=True, locked_at__isnull=True)
    return found.first()


def open_reset(reset_id: uuid.UUID | str, *, now: datetime) -> PasswordReset | None:
    rows = PasswordReset.objects.select_related(
        "user__entity", "grant__device", "challenge__device"
    )
    return rows.filter(pk=reset_id, expires_at__gt=now).first()


def grants(user: User, *, now: datetime) -> list[DeviceGrant]:
    """
    The devices of which the user may choose one for the reset. A Temporary Code in its limited stage opens
    the way to an Online Security Code Card and nothing else.
    """
    return [g for g in answerable_grants(user, now=now) if not g.device.is_limited(now)]
