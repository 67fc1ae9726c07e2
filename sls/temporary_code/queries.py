"""What the rules of Temporary Codes look at."""

import uuid

from portal.models import User
from portal.models.account import normalise_username
from sls.catalog import DeviceKind
from sls.models import DeviceGrant, TemporaryCodeRequest


def client(username: str) -> User | None:
    users = User.objects.select_related("entity").filter(is_active=True)
    return users.filter(username=normalise_username(username)).first()


def request(request_id: uuid.UUID) -> TemporaryCodeRequest | None:
    rows = TemporaryCodeRequest.objects.select_related(
        "user__entity", "made_by__entity", "decided_by__entity"
    )
    return rows.filter(pk=request_id).first()


def would_be_second_in_a_row(user: User) -> bool:
    """Has the user logged in with no other kind of device since his last Temporary Code (KB69)?"""
    grants = DeviceGrant.objects.filter(user=user)
    last = grants.filter(device__kind=DeviceKind.TEMPORARY_CODE).order_by("-granted_at").first()
    if last is None:
        return False
    others = grants.exclude(device__kind=DeviceKind.TEMPORARY_CODE)
    return not others.filter(last_used_at__gt=last.granted_at).exists()
