"""Reading the user's Online Security Code Cards."""

import uuid
from datetime import datetime

from portal.models import User
from sls.catalog import DeviceKind
from sls.devices.queries import usable_grants
from sls.models import CardRequestState, DeviceGrant, OnlineCardRequest


def waiting(user: User, *, now: datetime) -> OnlineCardRequest | None:
    """The user's card that he has not confirmed yet."""
    return OnlineCardRequest.objects.filter(
        user=user, state=CardRequestState.SHOWN, expires_at__gt=now
    ).first()


def owned(request_id: uuid.UUID, user: User) -> OnlineCardRequest | None:
    """The request, if it is the user's; anybody else's does not exist for him."""
    rows = OnlineCardRequest.objects.select_related("device", "challenge__device")
    return rows.filter(pk=request_id, user=user).first()


def temporary_grants(user: User, *, now: datetime) -> dict[str, DeviceGrant]:
    """The temporary devices that a new card takes the place of, by kind."""
    kinds = (DeviceKind.TEMPORARY_CODE, DeviceKind.ONLINE_CARD)
    grants = usable_grants(user, now=now).filter(device__kind__in=kinds).defer("device__secret")
    return {grant.device.kind: grant for grant in grants}
