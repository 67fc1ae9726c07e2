"""Reading what decides about an activation."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from portal.models import PhoneNumber, User
from portal.outbox import queries as messages
from sls.catalog import permanent_kinds
from sls.devices.queries import answerable_grants
from sls.models import (
    DeviceGrant,
    DeviceState,
    GrantState,
    Phone,
    PhoneActivation,
    PhoneUser,
    SecurityDevice,
)
from sls.models.phone import LIVE_ACTIVATIONS

from .rules import Standing

FIRST_USED = "used"  # the id of a number that is not among those on record


def digest(secret: str) -> str:
    """What the database keeps of the secret that only the activating phone holds."""
    return hashlib.sha256(f"activation|{secret}".encode()).hexdigest()


def find(secret: str, *, phone: Phone | None, now: datetime) -> PhoneActivation | None:
    """The live activation with this secret; one that a phone began is found by that phone only."""
    return (
        PhoneActivation.objects.filter(
            secret=digest(secret), phone=phone, state__in=LIVE_ACTIVATIONS, expires_at__gt=now
        )
        .select_related("user__entity", "challenge__device", "phone")
        .first()
    )


@dataclass(frozen=True)
class Choice:
    """A number that a code may go to, as the phone names it."""

    id: str
    e164: str
    is_default: bool
    is_first_used: bool


@dataclass(frozen=True)
class Background:
    """What is on record about a user who activates a phone."""

    user: User
    earlier: PhoneUser | None
    numbers: list[PhoneNumber]
    was_protected: bool
    devices: list[DeviceGrant]

    @property
    def first_number(self) -> str:
        """The number of his last activation; of one who never had a phone, the default on record."""
        if self.earlier is not None:
            return self.earlier.number
        return next((number.e164 for number in self.numbers if number.is_default), "")

    @property
    def has_pin(self) -> bool:
        return self.earlier is not None and self.earlier.phone.has_pin

    def choices(self) -> list[Choice]:
        first = self.earlier.number if self.earlier else ""
        found = [
            Choice(str(n.pk), n.e164, n.is_default, n.e164 == first)
            for n in sorted(self.numbers, key=lambda n: (not n.is_default, n.pk))
        ]
        if first and not any(choice.is_first_used for choice in found):
            found.insert(0, Choice(FIRST_USED, first, is_default=False, is_first_used=True))
        return found

    def standing(self, activation: PhoneActivation | None, number: str) -> Standing:
        return Standing(
            is_protected=self.was_protected,
            has_device=bool(self.devices),
            has_agreed=activation is not None and activation.agreed_at is not None,
            is_first_number=bool(number) and number == self.first_number,
        )


def background(user: User) -> Background:
    """Three queries."""
    earlier = PhoneUser.objects.filter(user=user).select_related("phone").order_by("-activated_at")
    grants = DeviceGrant.objects.filter(user=user, device__kind__in=permanent_kinds())
    grants = grants.defer("device__secret")
    known = grants.exclude(state=GrantState.PENDING).select_related("device", "share")
    return Background(
        user=user,
        earlier=earlier.first(),
        numbers=list(PhoneNumber.objects.filter(entity=user.entity_id)),
        was_protected=any(
            grant.share is None or grant.share.enforced_at is not None for grant in known
        ),
        devices=[grant for grant in known if _can_agree(grant)],
    )


def _can_agree(grant: DeviceGrant) -> bool:
    return grant.state == GrantState.ACTIVE and grant.device.state == DeviceState.ACTIVE


def agreeing_grant(user: User, grant_id: int, *, now: datetime) -> DeviceGrant | None:
    """One of the user's permanent devices that can be asked now."""
    return next((grant for grant in _agreeing(user, now=now) if grant.pk == grant_id), None)


def agreeing_grant_of(user: User, device: SecurityDevice, *, now: datetime) -> DeviceGrant | None:
    """The user's grant for this device, if it can agree now."""
    return next((grant for grant in _agreeing(user, now=now) if grant.device_id == device.pk), None)


def _agreeing(user: User, *, now: datetime) -> list[DeviceGrant]:
    return [grant for grant in answerable_grants(user, now=now) if grant.device.traits.is_permanent]


def standing_of_code(activation: PhoneActivation) -> messages.Standing | None:
    """What became of the newest SMS with an Activation Token; None before the first. One query."""
    fact = f"{activation.pk}:{activation.sent}"
    return messages.standing(user=activation.user, event="activation_code", fact=fact)
