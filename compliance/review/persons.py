"""Who may act on a case: rights, persons and devices, each read anew from the database."""

from datetime import datetime

from django.db.models import QuerySet

from compliance.models import ReviewCase
from portal.backends import EntityBackend, staff, staff_now
from portal.caller import Caller
from portal.errors import Refused
from portal.models import User
from portal.models.account import normalise_username
from sls.devices.queries import is_used_by_person
from sls.models import DeviceGrant, DeviceState, GrantState, ShareRequest
from sls.models.device import unexpired

from .rules import CaseRefusal

SEE = "compliance.view_reviewcase"
WORK = "compliance.work_reviewcase"
DECIDE = "compliance.decide_reviewcase"
ASSIGN = "compliance.assign_reviewcase"
UNMASK = "compliance.unmask_evidence"


def officer_of(by: Caller, right: str) -> User:
    officer = staff_now(by, right)
    if officer is None:
        raise Refused(CaseRefusal.NOT_ALLOWED)
    return officer


def entitled(right: str) -> QuerySet[User]:
    """Active staff with this right, by username."""
    users: QuerySet[User] = EntityBackend().with_perm(right)
    return users.filter(is_staff=True, locked_at__isnull=True).order_by("username")


def may_take(officer: User, share: ShareRequest, case: ReviewCase | None) -> bool:
    """Neither a party to the request nor its maker stands behind him."""
    try:
        refuse_own_person(officer, share)
        if case is not None:
            refuse_maker(case, officer)
    except Refused:
        return False
    return True


def refuse_own_person(officer: User, share: ShareRequest) -> None:
    """R12: neither a party nor anybody who uses the device is the officer under another username."""
    parties = (share.requester, share.owner)
    if any(
        officer.entity.may_be_same_person_as(party.entity) for party in parties
    ) or is_used_by_person(share.device, officer.entity):
        raise Refused(CaseRefusal.OWN_CASE)


def refuse_weaker_device(officer: User, share: ShareRequest, *, by: Caller, now: datetime) -> None:
    """A call without a session, as from a command, has proven no device at all."""
    proven = DeviceGrant.objects.filter(
        unexpired(now),
        pk=by.proven_grant or 0,
        user=officer,
        state=GrantState.ACTIVE,
        device__state=DeviceState.ACTIVE,
    ).select_related("device")
    grant = proven.first()
    if grant is None or grant.device.traits.level < share.device.traits.level:
        raise Refused(CaseRefusal.WEAKER_DEVICE)


def refuse_maker(case: ReviewCase, officer: User) -> None:
    maker = case.recommended_by
    if maker is not None and maker.entity.may_be_same_person_as(officer.entity):
        raise Refused(CaseRefusal.SAME_OFFICER)


def may_still_work(officer: User) -> bool:
    """Does what he has recommended still count? From a user as the database knows him now."""
    is_in_service = officer.is_active and officer.is_staff and officer.locked_at is None
    return is_in_service and officer.has_perm(WORK)


def colleague_of(username: str, share: ShareRequest, case: ReviewCase | None) -> User:
    colleague = staff().filter(username=normalise_username(username)).first()
    if colleague is None or not colleague.has_perm(WORK):
        raise Refused(CaseRefusal.WRONG_OFFICER)
    if not may_take(colleague, share, case):
        raise Refused(CaseRefusal.WRONG_OFFICER)
    return colleague
