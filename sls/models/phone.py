"""Phones with the app on them, the usernames on each, and how they got there."""

import hmac
import json
import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal import vault

from .challenge import Challenge
from .device import DeviceGrant

PIN_PURPOSE, CODE_PURPOSE = "phone_pin", "activation_code"


class Platform(models.TextChoices):
    IOS = "ios", _("iOS")
    ANDROID = "android", _("Android")
    OTHER = "other", _("Other")


class PhoneState(models.TextChoices):
    ACTIVE = "active", _("Active")
    FROZEN = "frozen", _("Frozen")
    RETIRED = "retired", _("Retired")


class Phone(models.Model):
    """
    One installed app. `public_key` signs its requests (an uncompressed P-256 point in base64url);
    approvals are proven by the PIN or by the WebAuthn credential besides: docs/phone-protocol.md section 4.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.CharField(_("platform"), max_length=8, choices=Platform)
    name = models.CharField(_("name"), max_length=60, blank=True)
    public_key = models.CharField(max_length=100, editable=False)
    credential_id = models.TextField(blank=True, editable=False)
    credential_key = models.TextField(blank=True, editable=False)
    sign_count = models.BigIntegerField(default=0, editable=False)
    pin_verifier = models.CharField(max_length=200, blank=True, editable=False)
    pin_key = vault.SealedField(blank=True, editable=False)
    subscription = vault.SealedField(blank=True, editable=False)
    state = models.CharField(_("state"), max_length=8, choices=PhoneState)
    created_at = models.DateTimeField(_("created at"))
    frozen_at = models.DateTimeField(_("frozen at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        verbose_name = _("phone")
        verbose_name_plural = _("phones")
        permissions: ClassVar = [
            ("freeze_phone", _("Can freeze and thaw a phone")),
            ("retire_phone", _("Can disable a phone for good")),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(pin_verifier="") | ~Q(credential_id=""), name="phone_has_an_element"
            ),
            models.CheckConstraint(
                condition=Q(pin_verifier="", pin_key="") | (~Q(pin_verifier="") & ~Q(pin_key="")),
                name="phone_pin_has_its_key",
            ),
            models.CheckConstraint(
                condition=Q(state=PhoneState.ACTIVE, frozen_at__isnull=True, ended_at__isnull=True)
                | Q(state=PhoneState.FROZEN, frozen_at__isnull=False, ended_at__isnull=True)
                | Q(state=PhoneState.RETIRED, ended_at__isnull=False),
                name="phone_state_has_its_time",
            ),
        ]

    def __str__(self) -> str:
        return self.name or str(self.get_platform_display())

    @property
    def has_pin(self) -> bool:
        return bool(self.pin_verifier)

    @property
    def has_credential(self) -> bool:
        return bool(self.credential_id)

    @property
    def has_push(self) -> bool:
        return bool(self.subscription)

    def set_pin(self, pin: str, pin_key: bytes) -> None:
        """Keep a slow verifier of the PIN, peppered with a key that is not in the database, and its key."""
        pepper_id = vault.newest_key_id()
        peppered = vault.index(f"{self.pk}|{pin}", purpose=PIN_PURPOSE)
        self.pin_verifier = f"{pepper_id}:{make_password(peppered)}"
        vault.sealed_field(self, "pin_key").seal_into(self, pin_key.hex())

    def is_pin(self, typed: str) -> bool:
        """Is this the PIN? False as well once the key that peppered it is no longer known."""
        pepper_id, _colon, verifier = self.pin_verifier.partition(":")
        if pepper_id not in vault.parse_keys(settings.VAULT_KEYS):
            return False
        peppered = vault.index(f"{self.pk}|{typed}", purpose=PIN_PURPOSE, key_id=pepper_id)
        return check_password(peppered, verifier)

    def is_pin_mac(self, mac: bytes, text: bytes) -> bool:
        """Was `mac` made over `text` with the PIN key that only the right PIN unmasks?"""
        if not self.pin_key:
            return False
        key = bytes.fromhex(vault.sealed_field(self, "pin_key").open_from(self))
        return hmac.compare_digest(mac, hmac.digest(key, text, "sha256"))

    def set_subscription(self, subscription: dict[str, object] | None) -> None:
        plain = json.dumps(subscription) if subscription else ""
        vault.sealed_field(self, "subscription").seal_into(self, plain)

    def open_subscription(self) -> str:
        """The push subscription as JSON text, or ""."""
        return vault.sealed_field(self, "subscription").open_from(self)


class PhoneUser(models.Model):
    """
    A username on a phone. `number` is where its activation SMS went: "the number first used". Its IB Key is
    the grant's device, with a key of its own.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    phone = models.ForeignKey(Phone, models.PROTECT, related_name="usernames")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="phones", verbose_name=_("user")
    )
    grant = models.OneToOneField(DeviceGrant, models.PROTECT, related_name="phone_user")
    number = models.CharField(max_length=16)
    is_seamless = models.BooleanField(_("seamless authentication"), default=True)
    is_active = models.BooleanField(_("active"), default=True)
    activated_at = models.DateTimeField(_("activated at"))
    retired_at = models.DateTimeField(_("retired at"), null=True, blank=True)

    class Meta:
        verbose_name = _("username on a phone")
        verbose_name_plural = _("usernames on phones")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(is_active=True), name="one_active_phone_per_user"
            ),
            models.CheckConstraint(
                condition=Q(is_active=True, retired_at__isnull=True)
                | Q(is_active=False, retired_at__isnull=False),
                name="retired_has_its_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "-activated_at"], name="phones_of_a_user"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} on {self.phone_id}"


class PhoneNonce(models.Model):
    """A nonce that a phone's signature has used. Kept until its time is out of the window anyway."""

    phone = models.ForeignKey(Phone, models.CASCADE, related_name="+")
    nonce = models.CharField(max_length=22)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["phone", "nonce"], name="a_nonce_once"),
        ]

    def __str__(self) -> str:
        return f"{self.phone_id} {self.nonce}"


class ActivationState(models.TextChoices):
    OPEN = "open", _("Started")
    WAITING = "waiting", _("Waiting time runs")
    DONE = "done", _("Activated")
    ENDED = "ended", _("Ended")


LIVE_ACTIVATIONS = [ActivationState.OPEN, ActivationState.WAITING]


class PhoneActivation(models.Model):
    """
    Between *Register Two-Factor* and *Done*. `secret` is the digest of what only the activating phone holds;
    `phone` is set when an active phone adds a username. Its id becomes the PhoneUser's.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="activations")
    phone = models.ForeignKey(Phone, models.PROTECT, null=True, related_name="activations")
    secret = models.CharField(max_length=64, unique=True)
    platform = models.CharField(max_length=8, choices=Platform)
    password_mark = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=ActivationState, default=ActivationState.OPEN)
    number = models.CharField(max_length=16, blank=True)
    code = models.CharField(max_length=80, blank=True)
    code_expires_at = models.DateTimeField(null=True)
    resend_at = models.DateTimeField(null=True)
    sent = models.PositiveSmallIntegerField(default=0)
    challenge = models.ForeignKey(Challenge, models.SET_NULL, null=True, related_name="+")
    agreed_at = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=45, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(state__in=LIVE_ACTIVATIONS),
                name="one_live_activation_per_user",
            ),
            models.CheckConstraint(
                condition=~Q(state=ActivationState.WAITING) | Q(ready_at__isnull=False),
                name="waiting_activation_has_its_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.state}"

    def fingerprint(self, code: str, *, key_id: str = "") -> str:
        """What is kept of an activation token: keyed, and good for this row and this SMS only."""
        return vault.index(f"{self.pk}|{self.sent}|{code}", purpose=CODE_PURPOSE, key_id=key_id)
