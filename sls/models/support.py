"""What staff do for a client on the telephone: a device suspended for all its users, a caller checked."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.models import User

from .challenge import Challenge
from .device import SecurityDevice


class Suspension(models.Model):
    """
    A device that nobody may answer with until it is resumed. `awakened` are the ids of the grants that slept
    for its sake and work meanwhile; they go back to sleep when it is resumed.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    device = models.ForeignKey(
        SecurityDevice, models.PROTECT, related_name="suspensions", verbose_name=_("device")
    )
    reason = models.CharField(_("reason"), max_length=500)
    awakened = models.JSONField(default=list, editable=False)
    suspended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("suspended by")
    )
    suspended_at = models.DateTimeField(_("suspended at"))
    resumed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("resumed by"),
    )
    resumed_at = models.DateTimeField(_("resumed at"), null=True, blank=True)
    resume_reason = models.CharField(_("why it was resumed"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("suspension")
        verbose_name_plural = _("suspensions")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["device"],
                condition=Q(resumed_at__isnull=True),
                name="one_open_suspension_per_device",
            ),
            models.CheckConstraint(
                condition=Q(resumed_by__isnull=True, resumed_at__isnull=True)
                | Q(resumed_by__isnull=False, resumed_at__isnull=False),
                name="resumed_by_with_its_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.device} {self.suspended_at:%Y-%m-%d %H:%M}"


class CheckState(models.TextChoices):
    WAITING = "waiting", _("Waiting for the response")
    PASSED = "passed", _("Passed")
    FAILED = "failed", _("Failed")
    NONE = "none", _("No response")


class CallerCheck(models.Model):
    """
    Is the caller who he says he is? `made_by` reads a challenge to him and types what his device displays,
    once. `challenge` is for this purpose alone, and bound to the session of the member of staff.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="caller_checks",
        verbose_name=_("client"),
    )
    device = models.ForeignKey(
        SecurityDevice, models.PROTECT, related_name="+", verbose_name=_("device")
    )
    challenge = models.OneToOneField(
        Challenge, models.SET_NULL, null=True, related_name="+", editable=False
    )
    ticket = models.CharField(_("ticket number"), max_length=40)
    reason = models.CharField(_("reason"), max_length=500)
    state = models.CharField(
        _("result"), max_length=8, choices=CheckState, default=CheckState.WAITING
    )
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("checked by")
    )
    made_at = models.DateTimeField(_("asked at"))
    expires_at = models.DateTimeField(_("expires at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        verbose_name = _("caller check")
        verbose_name_plural = _("caller checks")
        permissions: ClassVar = [("check_caller", _("Can check a caller by his device"))]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(made_by=models.F("user")), name="nobody_checks_himself"
            ),
            models.CheckConstraint(
                condition=Q(state=CheckState.WAITING, ended_at__isnull=True)
                | Q(
                    state__in=[CheckState.PASSED, CheckState.FAILED, CheckState.NONE],
                    ended_at__isnull=False,
                ),
                name="ended_check_has_its_time",
            ),
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(state=CheckState.WAITING),
                name="one_open_check_per_user",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "-made_at"], name="checks_of_a_user"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.state}"


class ClientRecord(User):  # type: ignore[django-manager-missing]
    """A username as the support desk looks at it. Whoever may see this need not see the list of users."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = _("support desk")
        verbose_name_plural = _("support desk")
