"""A login that waits for a phone to say yes."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .login import LoginAttempt
from .phone import Phone, PhoneUser


class PromptState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    APPROVED = "approved", _("Approved")
    DENIED = "denied", _("Denied")
    CANCELLED = "cancelled", _("Cancelled")
    EXPIRED = "expired", _("Expired")


DECIDED = [PromptState.APPROVED, PromptState.DENIED]


class LoginPrompt(models.Model):
    """
    One for a login, one live for a user. `number` is shown by the browser and typed on the phone, or empty
    when none is asked. `evidence` is what the phone signed, with the signature.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    attempt = models.OneToOneField(LoginAttempt, models.CASCADE, related_name="prompt")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="prompts")
    phone = models.ForeignKey(Phone, models.PROTECT, related_name="prompts")
    phone_user = models.ForeignKey(PhoneUser, models.PROTECT, related_name="+")
    number = models.CharField(max_length=2, blank=True)
    is_known_browser = models.BooleanField()
    state = models.CharField(
        _("state"), max_length=9, choices=PromptState, default=PromptState.WAITING
    )
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"))
    sent_at = models.DateTimeField()
    sent = models.PositiveSmallIntegerField(default=1)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    evidence = models.TextField(blank=True, editable=False)

    class Meta:
        verbose_name = _("login prompt")
        verbose_name_plural = _("login prompts")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(state=PromptState.WAITING),
                name="one_live_prompt_per_user",
            ),
            models.CheckConstraint(
                condition=Q(state__in=DECIDED, decided_at__isnull=False)
                | (~Q(state__in=DECIDED) & Q(decided_at__isnull=True)),
                name="decided_has_its_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["phone"],
                condition=Q(state=PromptState.WAITING),
                name="prompts_waiting_on_a_phone",
            ),
            models.Index(fields=["user", "created_at"], name="prompts_of_a_user"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.state}"


class PromptReport(models.Model):
    """ "This was not me": somebody has the password. A case for staff; until it is mended no more prompts."""

    prompt = models.OneToOneField(LoginPrompt, models.PROTECT, related_name="report")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="prompt_reports",
        verbose_name=_("user"),
    )
    reported_at = models.DateTimeField(_("reported at"))
    address = models.CharField(_("address of the login"), max_length=45, blank=True)
    browser = models.CharField(_("browser of the login"), max_length=200, blank=True)
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("handled by"),
    )
    handled_at = models.DateTimeField(_("handled at"), null=True, blank=True)
    note = models.TextField(_("what was done"), blank=True)

    class Meta:
        verbose_name = _("reported login")
        verbose_name_plural = _("reported logins")
        permissions: ClassVar = [("handle_report", _("Can handle a reported login"))]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(handled_by__isnull=True, handled_at__isnull=True)
                | Q(handled_by__isnull=False, handled_at__isnull=False),
                name="handled_by_with_its_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "-reported_at"], name="reports_of_a_user")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.reported_at}"
