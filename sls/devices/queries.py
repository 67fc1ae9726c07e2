"""Reading devices and grants. One query each, whatever the number of devices and shares."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import (
    BigIntegerField,
    Count,
    DateTimeField,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
)
from django.db.models.functions import Coalesce

from portal.compiled import compiled
from portal.models import Entity, User
from portal.outbox.queries import Standing, standing
from sls.catalog import DeviceKind, Traits, permanent_kinds, traits
from sls.models import (
    Challenge,
    ChallengeState,
    DeviceGrant,
    DeviceState,
    GrantState,
    SecurityDevice,
)
from sls.models.device import LIVE, masked, unexpired

from .rules import Loss, strands, ways_in


def live_grants(
    users: Iterable[User], *, now: datetime, sharing: SecurityDevice | None = None
) -> list[DeviceGrant]:
    """
    Every live grant on every device that any of `users`, or anybody who shares the device `sharing`, may
    answer with: theirs, and those of all who share a device with them. Without the devices' secrets. What
    has expired is left out, tidied up already or not.
    """
    reached = _live(now).filter(user__in=users).values("device")
    if sharing is not None:
        sharers = _live(now).filter(device=sharing).values("user")
        reached = reached.union(_live(now).filter(user__in=sharers).values("device"))
    return list(
        _live(now)
        .filter(device__in=reached)
        .select_related("device", "user")
        .defer("device__secret", "user__password")
        .order_by("granted_at", "pk")
    )


def _live(now: Any) -> QuerySet[DeviceGrant]:
    return DeviceGrant.objects.filter(unexpired(now), state__in=LIVE)


def usable_grants(user: User, *, now: datetime) -> QuerySet[DeviceGrant]:
    """
    The grants `user` may answer with now: the preferred one, then the last used first. SMS codes end with
    the first permanent device (KB1131), whether that has been tidied up or not.
    """
    return (
        DeviceGrant.objects.filter(
            unexpired(now), user=user, state=GrantState.ACTIVE, device__state=DeviceState.ACTIVE
        )
        .exclude(Q(device__kind=DeviceKind.SMS) & Exists(permanent_grants(user=OuterRef("user"))))
        .select_related("device")
        .order_by("-is_preferred", F("last_used_at").desc(nulls_last=True), "granted_at", "pk")
    )


def permanent_grants(**whose: object) -> QuerySet[DeviceGrant]:
    """The active grants of permanent devices."""
    return DeviceGrant.objects.filter(
        state=GrantState.ACTIVE,
        device__state=DeviceState.ACTIVE,
        device__kind__in=permanent_kinds(),
        **whose,
    )


def answerable_grants(user: User, *, now: datetime) -> list[DeviceGrant]:
    """Those of the usable grants whose device answers on a page of the login: at present, all."""
    return _usable(user=user.pk, now=now)


@compiled(user=BigIntegerField(), now=DateTimeField())
def _usable(user: Any, now: Any) -> QuerySet[DeviceGrant]:
    return usable_grants(user, now=now)


class Holding(NamedTuple):
    """Somebody's live grant on a device, as the device list reads it."""

    grant_id: int
    user_id: int
    username: str
    state: str
    share_id: uuid.UUID | None
    granted_at: datetime
    last_used_at: datetime | None
    device_id: uuid.UUID
    kind: str
    serial: str
    device_state: str
    expires_at: datetime | None
    full_access_until: datetime | None

    @property
    def is_borrowed(self) -> bool:
        return self.share_id is not None

    @property
    def serial_masked(self) -> str:
        return masked(self.serial)

    @property
    def state_label(self) -> str:
        """The grant's, or that of a device which nobody may use at present."""
        if self.device_state != DeviceState.ACTIVE:
            return str(DeviceState(self.device_state).label)
        return str(GrantState(self.state).label)

    def __str__(self) -> str:
        return f"{DeviceKind(self.kind).label} {self.serial_masked}"


HOLDING = (
    *("pk", "user", "user__username", "state", "share", "granted_at", "last_used_at"),
    *("device", "device__kind", "device__serial", "device__state"),
    *("device__expires_at", "device__full_access_until"),
)


class DeviceRow(NamedTuple):
    """One device as the device list shows it to one user. Equal rows look alike."""

    mine: Holding
    others: tuple[Holding, ...]

    @property
    def kind(self) -> str:
        return self.mine.kind

    @property
    def name(self) -> str:
        return str(DeviceKind(self.kind).label)

    @property
    def serial_masked(self) -> str:
        return masked(self.mine.serial)

    @property
    def traits(self) -> Traits:
        return traits(self.kind)

    @property
    def state(self) -> str:
        """The grant's, or that of a device which nobody may use at present."""
        suspended = self.mine.device_state != DeviceState.ACTIVE
        return self.mine.device_state if suspended else self.mine.state

    @property
    def state_label(self) -> str:
        return self.mine.state_label

    @property
    def since(self) -> datetime:
        return self.mine.granted_at

    @property
    def last_used_at(self) -> datetime | None:
        return self.mine.last_used_at

    @property
    def expires_at(self) -> datetime | None:
        return self.mine.expires_at

    @property
    def full_access_until(self) -> datetime | None:
        return self.mine.full_access_until

    @property
    def owner_name(self) -> str:
        """The owner's username, empty when the device is the user's own."""
        owners = [other.username for other in self.others if not other.is_borrowed]
        return owners[0] if self.mine.is_borrowed and owners else ""

    @property
    def shared_with(self) -> list[str]:
        """Who else may answer with the device, pending requests left out."""
        return [o.username for o in self.others if o.state != GrantState.PENDING]


@compiled(user=BigIntegerField(), now=DateTimeField())
def _holdings_on_devices_of(user: Any, now: Any) -> QuerySet[Any, Any]:
    reached = _live(now).filter(user=user).values("device")
    grants = _live(now).filter(device__in=reached).order_by("granted_at", "pk")
    return grants.values_list(*HOLDING)


def device_list(user: User, *, now: datetime) -> list[DeviceRow]:
    """The user's devices, active ones first."""
    by_device = defaultdict(list)
    for holding in map(Holding._make, _holdings_on_devices_of(user=user.pk, now=now)):
        by_device[holding.device_id].append(holding)
    rows = []
    for holdings in by_device.values():
        mine = next(holding for holding in holdings if holding.user_id == user.pk)
        rows.append(DeviceRow(mine, tuple(h for h in holdings if h is not mine)))
    return sorted(rows, key=lambda row: (row.state != GrantState.ACTIVE, -row.traits.level))


def sharing_counts() -> QuerySet[SecurityDevice]:
    """Devices without their secrets, each with `owner_name` (None in stock) and `sharers`, a number."""
    grants = DeviceGrant.objects.filter(device=OuterRef("pk"), state__in=LIVE)
    owner = grants.filter(share__isnull=True).values("user__username")[:1]
    borrowed = grants.filter(share__isnull=False).exclude(state=GrantState.PENDING)
    count = borrowed.order_by().values("device").annotate(number=Count("*")).values("number")
    return SecurityDevice.objects.defer("secret").annotate(
        owner_name=Subquery(owner), sharers=Coalesce(Subquery(count), 0)
    )


@dataclass(frozen=True)
class Affected:
    """A user of a device that may be taken away, and his ways in afterwards. What sleeps for its sake wakes."""

    user_id: int
    username: str
    mine: Holding
    left: list[Holding]
    is_stranded: bool

    @property
    def is_owner(self) -> bool:
        return not self.mine.is_borrowed


def affected_by(device_id: uuid.UUID, *, now: datetime) -> list[Affected]:
    """Everybody who may answer with the device, its owner first, and what he has left without it. One query."""
    users = _live(now).filter(device=device_id).values("user")
    return _affected(_held(now, user__in=users), Loss(devices=frozenset([device_id])))


def stranded_by(device: SecurityDevice, *, now: datetime) -> list[str]:
    """The usernames whose last way in the device is."""
    return [row.username for row in affected_by(device.pk, now=now) if row.is_stranded]


def affected_by_loss(users: Collection[int], loss: Loss, *, now: datetime) -> list[Affected]:
    """Those of `users` who lose a grant by it. One query."""
    return _affected(_held(now, user__in=users), loss)


def _affected(held: Iterable[Holding], loss: Loss) -> list[Affected]:
    by_user = defaultdict(list)
    for holding in held:
        by_user[holding.user_id].append(holding)
    rows = []
    for theirs in by_user.values():
        lost = next((holding for holding in theirs if loss.takes(holding)), None)
        if lost is not None:
            left, is_stranded = ways_in(theirs, loss), strands(theirs, loss)
            rows.append(Affected(lost.user_id, lost.username, lost, left, is_stranded))
    return sorted(rows, key=lambda row: (not row.is_owner, row.username))


def ways_in_now(user: User, *, now: datetime) -> list[Holding]:
    """What lets the user in now; read inside the transaction that takes something away."""
    return ways_in(_held(now, user=user.pk))


def _held(now: datetime, **whose: object) -> list[Holding]:
    grants = _live(now).filter(**whose).order_by("granted_at", "pk")
    return [Holding._make(row) for row in grants.values_list(*HOLDING)]


def lock(device_id: uuid.UUID) -> None:
    """Until the transaction ends nobody suspends or revokes it. Before shares and grants, after users."""
    list(SecurityDevice.objects.select_for_update(no_key=True).filter(pk=device_id).values("pk"))


def is_used_by_person(device: SecurityDevice, person: Entity) -> bool:
    """Does anybody who may answer with `device` have the same person behind him?"""
    users = User.objects.filter(grants__device=device, grants__state__in=LIVE)
    return any(person.may_be_same_person_as(user.entity) for user in users.select_related("entity"))


def is_used_by_staff(device: SecurityDevice) -> bool:
    return User.objects.filter(
        grants__device=device, grants__state__in=LIVE, is_staff=True
    ).exists()


def has_answered(device: SecurityDevice) -> bool:
    return device.challenges.filter(state=ChallengeState.ANSWERED).exists()


def known_serials(serials: Collection[str]) -> set[str]:
    """Those of `serials` that a device has already."""
    known = SecurityDevice.objects.filter(serial__in=serials)
    return set(known.values_list("serial", flat=True))


def active_users(usernames: Collection[str]) -> dict[str, User]:
    """The active users with one of these names, by name, with their entities."""
    locked = User.objects.locked()  # a share may be deciding about them
    found = locked.filter(username__in=usernames, is_active=True).order_by("pk")
    return {user.username: user for user in found.select_related("entity")}


def standing_of_code(challenge: Challenge | None) -> Standing | None:
    """What became of the SMS with the code that answers the challenge. One query."""
    if challenge is None:
        return None
    return standing(user=challenge.user, event="sms_code", fact=str(challenge.pk))
