"""What a member of staff may not decide, whatever his role: about his own person, and about colleagues."""

from portal.caller import Caller
from portal.errors import Refused
from portal.models import Entity
from sls.models import SecurityDevice

from . import queries
from .rules import StockRefusal


def staff_person(by: Caller) -> Entity | None:
    """The person behind a member of staff: nobody decides about his own devices (R12)."""
    return by.user.entity if by.user and by.user.is_staff else None


def is_below_administrator(by: Caller) -> bool:
    """A member of staff who may not decide about usernames of staff."""
    return by.user is not None and by.user.is_staff and not by.user.is_superuser


def refuse_persons(device: SecurityDevice, by: Caller) -> None:
    """
    Raises Refused for a member of staff whose own person uses the device (R12), and where a colleague does: else
    Support could shut the whole house out, and only an administrator may bring it back.
    """
    person = staff_person(by)
    if person and queries.is_used_by_person(device, person):
        raise Refused(StockRefusal.OWN_PERSON)
    if is_below_administrator(by) and queries.is_used_by_staff(device):
        raise Refused(StockRefusal.STAFF_USERNAME)
