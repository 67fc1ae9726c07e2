"""Reading devices and grants. One query each, whatever the number of devices and shares."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import F, Q, QuerySet

from portal.models import User
from sls.catalog import DeviceKind, Traits, traits
from sls.models import DeviceGrant, DeviceState, GrantState
from sls.models.device import LIVE


def live_grants(users: Iterable[User] | QuerySet[User]) -> list[DeviceGrant]:
    """
    Every live grant on every device that any of `users` may answer with: theirs, and those of all who
    share a device with them.
    """
    theirs = DeviceGrant.objects.filter(user__in=users, state__in=LIVE)
    return list(
        DeviceGrant.objects.filter(device__in=theirs.values("device"), state__in=LIVE)
        .select_related("device", "user")
        .order_by("granted_at", "pk")
    )


def usable_grants(user: User) -> QuerySet[DeviceGrant]:
    """The grants `user` may answer with now, the last used first."""
    return (
        DeviceGrant.objects.filter(
            user=user, state=GrantState.ACTIVE, device__state=DeviceState.ACTIVE
        )
        .select_related("device")
        .order_by(F("last_used_at").desc(nulls_last=True), "granted_at", "pk")
    )


@dataclass
class DeviceRow:
    """One device as the device list shows it to one user."""

    grant: DeviceGrant
    others: list[DeviceGrant] = field(default_factory=list)

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


def was_protected(user: User) -> bool:
    """
    Has this user ever had an active device? Then a password alone is no login any more, even when none
    is left: nobody falls back to one factor unawares (abuse-cases.md E 103).
    """
    granted = DeviceGrant.objects.filter(user=user).exclude(state=GrantState.PENDING)
    return granted.filter(Q(share__isnull=True) | Q(share__enforced_at__isnull=False)).exists()
