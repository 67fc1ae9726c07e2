"""Devices and who may answer with them."""

import uuid
from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device as OtpDevice

from portal.vault import SealedField
from sls.catalog import DeviceKind, Traits, shareable_kinds, temporary_kinds, traits


class DeviceState(models.TextChoices):
    ACTIVE = "active", _("Active")
    SUSPENDED = "suspended", _("Suspended")
    REVOKED = "revoked", _("Revoked")
    EXPIRED = "expired", _("Expired")


def masked(serial: str) -> str:
    """What pages, messages and the audit trail show of a serial number."""
    return f"•••{serial[-4:]}"


class SecurityDevice(models.Model):  # type: ignore[django-manager-missing]
    """
    One physical or software thing. Its secret is one sealed record, which `sls.devices` alone opens;
    everybody who may answer with the device has a DeviceGrant, never a copy.

    A temporary device ends by itself at `expires_at`; a Temporary Code opens everything until
    `full_access_until` and from then on only the way to an Online Security Code Card (KB69).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=16, choices=DeviceKind)
    serial = models.CharField(_("serial number"), max_length=32, unique=True)
    secret = SealedField(editable=False)
    state = models.CharField(
        _("state"), max_length=10, choices=DeviceState, default=DeviceState.ACTIVE
    )
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    full_access_until = models.DateTimeField(_("full access until"), null=True, blank=True)

    class Meta:
        verbose_name = _("security device")
        verbose_name_plural = _("security devices")
        permissions: ClassVar = [
            ("print_code_card", _("Can print a Security Code Card")),
            ("revoke_device", _("Can revoke a security device")),
            ("suspend_device", _("Can suspend a security device")),
            ("resume_device", _("Can resume a suspended device")),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=DeviceState.values), name="device_state_known"
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=temporary_kinds()) | Q(expires_at__isnull=False),
                name="temporary_device_expires",
            ),
            models.CheckConstraint(
                condition=Q(full_access_until__isnull=True)
                | Q(expires_at__isnull=False, full_access_until__lte=F("expires_at")),
                name="full_access_within_life",
            ),
        ]
        indexes: ClassVar = [  # for the minute's tidying up, which looks for few among many
            models.Index(
                fields=["expires_at"],
                condition=Q(expires_at__isnull=False, state__in=["active", "suspended"]),
                name="devices_that_will_expire",
            ),
            models.Index(fields=["kind"], condition=Q(kind=DeviceKind.SMS), name="devices_of_sms"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.serial_masked}"

    @property
    def traits(self) -> Traits:
        return traits(self.kind)

    @property
    def serial_masked(self) -> str:
        return masked(self.serial)

    def has_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def is_limited(self, now: datetime) -> bool:
        """Is the time of full access over?"""
        return self.full_access_until is not None and self.full_access_until <= now


def unexpired(now: datetime, device: str = "device__") -> Q:
    """A condition for devices, or with the default for rows that have one."""
    return Q(**{f"{device}expires_at__isnull": True}) | Q(**{f"{device}expires_at__gt": now})


class GrantState(models.TextChoices):
    PENDING = "pending", _("Waiting for approval")
    ACTIVE = "active", _("Active")
    DORMANT = "dormant", _("Kept in a safe place")
    ENDED = "ended", _("Ended")


# Conditions for updates of grants. A join would become a subquery, which PostgreSQL does not evaluate again for
# an update that has waited for another transaction.
ON_ACTIVE_DEVICE = Exists(
    SecurityDevice.objects.filter(pk=OuterRef("device"), state=DeviceState.ACTIVE)
)
# For what wakes: a grant that sleeps on a suspended device would otherwise sleep for good when that is resumed.
ON_KEPT_DEVICE = Exists(
    SecurityDevice.objects.filter(
        pk=OuterRef("device"), state__in=[DeviceState.ACTIVE, DeviceState.SUSPENDED]
    )
)
ON_PHYSICAL_DEVICE = Exists(
    SecurityDevice.objects.filter(pk=OuterRef("device"), kind__in=shareable_kinds())
)

LIVE = [GrantState.PENDING, GrantState.ACTIVE, GrantState.DORMANT]


class DeviceGrant(OtpDevice):  # type: ignore[django-manager-missing]
    """
    This user may answer with that device: his own, or (with a `share`) a borrowed one.

    It is the django-otp device, so a session is verified as long as its grant is confirmed, that is,
    active. Tokens are never verified here: proof of possession is `sls.devices.challenges.answer`.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="grants", verbose_name=_("user")
    )
    device = models.ForeignKey(
        SecurityDevice, models.PROTECT, related_name="grants", verbose_name=_("device")
    )
    share = models.OneToOneField(
        "sls.ShareRequest",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="grant",
        verbose_name=_("share"),
    )
    state = models.CharField(_("state"), max_length=8, choices=GrantState)
    granted_at = models.DateTimeField(_("since"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    is_preferred = models.BooleanField(_("asked for first"), default=False)

    class Meta:
        verbose_name = _("device grant")
        verbose_name_plural = _("device grants")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state=GrantState.ACTIVE, confirmed=True)
                | (~Q(state=GrantState.ACTIVE) & Q(confirmed=False)),
                name="confirmed_means_active",
            ),
            models.CheckConstraint(
                condition=Q(state=GrantState.ENDED, ended_at__isnull=False)
                | (~Q(state=GrantState.ENDED) & Q(ended_at__isnull=True)),
                name="ended_has_its_time",
            ),
            models.UniqueConstraint(
                fields=["user", "device"],
                condition=Q(state__in=LIVE),
                name="one_live_grant_per_user_and_device",
            ),
            models.UniqueConstraint(
                fields=["device"],
                condition=Q(state__in=LIVE, share__isnull=True),
                name="one_owner_per_device",
            ),
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(is_preferred=True),
                name="one_preferred_device_per_user",
            ),
        ]

    @property
    def is_borrowed(self) -> bool:
        return self.share_id is not None
