"""A forgotten password: from the link in the message to the new one."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .challenge import Challenge
from .device import DeviceGrant


class ResetState(models.TextChoices):
    ASKED = "asked", _("Waiting for the second factor")
    PROVEN = "proven", _("Waiting for the new password")
    DONE = "done", _("Done")


class PasswordReset(models.Model):
    """
    Bound to one browser by `session`, and to the password that was forgotten by `password_mark`. `grant`
    and `challenge` are empty for a user who has never had a device.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    session = models.CharField(max_length=64)
    password_mark = models.CharField(max_length=64)
    grant = models.ForeignKey(DeviceGrant, models.SET_NULL, null=True, related_name="+")
    challenge = models.ForeignKey(Challenge, models.SET_NULL, null=True, related_name="+")
    state = models.CharField(max_length=8, choices=ResetState, default=ResetState.ASKED)
    started_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    proven_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(state=ResetState.ASKED, proven_at__isnull=True)
                | (~models.Q(state=ResetState.ASKED) & models.Q(proven_at__isnull=False)),
                name="proven_reset_has_its_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.state}"
