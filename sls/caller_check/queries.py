"""Reading caller checks."""

import uuid
from datetime import datetime

from portal.models import User
from sls.devices.queries import usable_grants
from sls.models import CallerCheck, CheckState, SecurityDevice

from .rules import answers_a_caller


def askable_devices(user: User, *, now: datetime) -> list[SecurityDevice]:
    """The devices of `user` that answer a challenge at present, the one he uses most likely first."""
    grants = usable_grants(user, now=now).defer("device__secret")
    return [grant.device for grant in grants if answers_a_caller(grant.device.kind)]


def check(check_id: uuid.UUID) -> CallerCheck | None:
    rows = CallerCheck.objects.select_related(
        "user__entity", "made_by", "challenge__device", "device"
    )
    return rows.filter(pk=check_id).first()


def state_now(found: CallerCheck, *, now: datetime) -> CheckState:
    """The result, whether an overdue check has been tidied up or not."""
    if found.state == CheckState.WAITING and found.expires_at <= now:
        return CheckState.NONE
    return CheckState(found.state)


def newest_checks(user: User, *, limit: int = 5) -> list[CallerCheck]:
    rows = CallerCheck.objects.filter(user=user).select_related("made_by", "device")
    return list(rows.defer("device__secret").order_by("-made_at", "pk")[:limit])
