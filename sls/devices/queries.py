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
from portal.identity import differences
from portal.models import Entity, User
from sls.catalog import DeviceKind, Traits, permanent_kinds, traits
from sls.models import ChallengeState, DeviceGrant, DeviceState, GrantState, SecurityDevice
from sls.models.device import LIVE, masked, unexpired


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
        suspended = self.mine.device_state != DeviceState.ACTIVE
        return str((DeviceState if suspended else GrantState)(self.state).label)

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
    return grants.values_list(
        "pk",
        "user",
        "user__username",
        "state",
        "share",
        "granted_at",
        "last_used_at",
        "device",
        "device__kind",
        "device__serial",
        "device__state",
        "device__expires_at",
        "device__full_access_until",
    )


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
    """A user of a device that may be revoked, and the devices he could still answer with afterwards."""

    username: str
    is_owner: bool
    left: list[SecurityDevice]


def affected_by_revoking(device: SecurityDevice) -> list[Affected]:
    """Everybody who may answer with `device`, its owner first. What sleeps for its sake comes back."""
    users = DeviceGrant.objects.filter(device=device, state__in=LIVE).values("user")
    grants = DeviceGrant.objects.filter(user__in=users, state__in=LIVE)
    by_user = defaultdict(list)
    for grant in grants.select_related("device", "user").order_by("granted_at", "pk"):
        by_user[grant.user.username].append(grant)
    rows = [_affected(device, theirs) for theirs in by_user.values()]
    return sorted(rows, key=lambda row: (not row.is_owner, row.username))


def _affected(device: SecurityDevice, theirs: list[DeviceGrant]) -> Affected:
    lost = next(grant for grant in theirs if grant.device_id == device.pk)
    good = [GrantState.ACTIVE, GrantState.DORMANT] if lost.is_borrowed else [GrantState.ACTIVE]
    left = [g.device for g in theirs if g is not lost and g.state in good]
    left = [device for device in left if device.state == DeviceState.ACTIVE]
    return Affected(lost.user.username, not lost.is_borrowed, left)


def is_used_by_person(device: SecurityDevice, person: Entity) -> bool:
    """Does anybody who may answer with `device` have the same person behind him?"""
    users = User.objects.filter(grants__device=device, grants__state__in=LIVE)
    return any(is_same_person(person, user.entity) for user in users.select_related("entity"))


def is_same_person(a: Entity, b: Entity) -> bool:
    """The same entity, or different ones with the same identification data."""
    return a.pk == b.pk or not differences(a.identification(), b.identification())


def has_answered(device: SecurityDevice) -> bool:
    return device.challenges.filter(state=ChallengeState.ANSWERED).exists()


def known_serials(serials: Collection[str]) -> set[str]:
    """Those of `serials` that a device has already."""
    known = SecurityDevice.objects.filter(serial__in=serials)
    return set(known.values_list("serial", flat=True))


def active_users(usernames: Collection[str]) -> dict[str, User]:
    """The active users with one of these names, by name, with their entities."""
    found = User.objects.filter(username__in=usernames, is_active=True).order_by("pk")
    locked = found.select_for_update(
        of=("self",), no_key=True
    )  # a share may be deciding about them
    return {user.username: user for user in locked.select_related("entity")}
