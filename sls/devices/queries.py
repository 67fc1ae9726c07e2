"""Reading devices and grants. One query each, whatever the number of devices and shares."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from portal.identity import differences
from portal.models import Entity, User
from sls.catalog import DeviceKind, Element, Traits, traits
from sls.models import ChallengeState, DeviceGrant, DeviceState, GrantState, SecurityDevice
from sls.models.device import LIVE


def live_grants(
    users: Iterable[User], *, sharing: SecurityDevice | None = None
) -> list[DeviceGrant]:
    """
    Every live grant on every device that any of `users`, or anybody who shares the device `sharing`, may
    answer with: theirs, and those of all who share a device with them. Without the devices' secrets.
    """
    live = DeviceGrant.objects.filter(state__in=LIVE)
    reached = live.filter(user__in=users).values("device")
    if sharing is not None:
        sharers = live.filter(device=sharing).values("user")
        reached = reached.union(live.filter(user__in=sharers).values("device"))
    return list(
        live.filter(device__in=reached)
        .select_related("device", "user")
        .defer("device__secret", "user__password")
        .order_by("granted_at", "pk")
    )


def usable_grants(user: User) -> QuerySet[DeviceGrant]:
    """The grants `user` may answer with now: the preferred one, then the last used first."""
    return (
        DeviceGrant.objects.filter(
            user=user, state=GrantState.ACTIVE, device__state=DeviceState.ACTIVE
        )
        .select_related("device")
        .order_by("-is_preferred", F("last_used_at").desc(nulls_last=True), "granted_at", "pk")
    )


def answerable_grants(user: User) -> list[DeviceGrant]:
    """Those of the usable grants whose device answers a question on a page of the login."""
    return [
        grant for grant in usable_grants(user) if grant.device.traits.element is not Element.NONE
    ]


@dataclass
class DeviceRow:
    """One device as the device list shows it to one user."""

    grant: DeviceGrant
    others: list[DeviceGrant] = field(default_factory=list)
    actions: list[dict[str, str]] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        """Equal for rows that look alike: the key under which a rendered card is kept."""
        mine = self.grant
        others = [(o.user.username, o.state, o.share_id) for o in self.others]
        looks = (mine.pk, mine.state, mine.device.state, mine.granted_at, mine.last_used_at, others)
        return repr(looks)

    @property
    def kind(self) -> str:
        return self.grant.device.kind

    @property
    def name(self) -> str:
        return str(DeviceKind(self.kind).label)

    @property
    def serial_masked(self) -> str:
        return self.grant.device.serial_masked

    @property
    def traits(self) -> Traits:
        return traits(self.kind)

    @property
    def state(self) -> str:
        suspended = self.grant.device.state != DeviceState.ACTIVE
        return self.grant.device.state if suspended else self.grant.state

    @property
    def state_label(self) -> str:
        suspended = self.grant.device.state != DeviceState.ACTIVE
        return str(
            self.grant.device.get_state_display() if suspended else self.grant.get_state_display()
        )

    @property
    def since(self) -> datetime:
        return self.grant.granted_at

    @property
    def owner_name(self) -> str:
        """The owner's username, empty when the device is the user's own."""
        owners = [other.user.username for other in self.others if not other.is_borrowed]
        return owners[0] if self.grant.is_borrowed and owners else ""

    @property
    def shared_with(self) -> list[str]:
        """Who else may answer with the device, pending requests left out."""
        return [o.user.username for o in self.others if o.state != GrantState.PENDING]


def device_list(user: User) -> list[DeviceRow]:
    """The user's devices, active ones first."""
    by_device = defaultdict(list)
    for grant in live_grants([user]):
        by_device[grant.device_id].append(grant)
    rows = []
    for grants in by_device.values():
        mine = next(grant for grant in grants if grant.user_id == user.pk)
        rows.append(DeviceRow(mine, [grant for grant in grants if grant is not mine]))
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
