"""The numbers on record of a user's person, and what they may be used for."""

from dataclasses import dataclass

from django.db.models import QuerySet

from portal.models import PhoneNumber, User
from sls.catalog import DeviceKind
from sls.devices.queries import permanent_grants
from sls.models import DeviceGrant, DeviceState, GrantState, NumberCheck, NumberCheckState
from sls.numbers import masked


@dataclass(frozen=True)
class NumberRow:
    number: PhoneNumber
    is_checked_by_user: bool
    is_used_for_login: bool

    @property
    def masked(self) -> str:
        return masked(self.number.e164)


def number_list(user: User) -> list[NumberRow]:
    """The numbers on record, the default first; which of them the user has verified, and logs in with."""
    checks = list(_good_checks(user))
    used = DeviceGrant.objects.filter(
        user=user, state=GrantState.ACTIVE, device__kind=DeviceKind.SMS
    ).values_list("device", flat=True)
    numbers = PhoneNumber.objects.filter(entity=user.entity_id).order_by("-is_default", "pk")
    in_use = {check.number_id for check in checks if check.device_id in set(used)}
    return [
        NumberRow(n, n.pk in {check.number_id for check in checks}, n.pk in in_use) for n in numbers
    ]


def owned_number(number_id: int, user: User) -> PhoneNumber | None:
    """The number, if it is one of the user's person; any other does not exist for him."""
    return PhoneNumber.objects.filter(pk=number_id, entity=user.entity_id).first()


def open_check(user: User) -> NumberCheck | None:
    rows = NumberCheck.objects.select_related("device", "challenge__device", "number")
    return rows.filter(user=user, state=NumberCheckState.SENT).first()


def good_check(user: User, number: PhoneNumber) -> NumberCheck | None:
    """The user's newest proof of the number that still stands."""
    checks = _good_checks(user).filter(number=number).select_related("device")
    return checks.order_by("-verified_at").first()


def _good_checks(user: User) -> QuerySet[NumberCheck]:
    return NumberCheck.objects.filter(
        user=user, state=NumberCheckState.VERIFIED, device__state=DeviceState.ACTIVE
    )


def has_permanent_device(user: User) -> bool:
    return permanent_grants(user=user).exists()


def person_has_permanent_device(user: User) -> bool:
    """Has any username of the user's entity one? They share the numbers on record."""
    return permanent_grants(user__entity=user.entity_id).exists()
