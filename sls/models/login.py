"""A login between password and completion."""

import uuid
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .challenge import Challenge
from .device import DeviceGrant

if TYPE_CHECKING:
    from .prompt import LoginPrompt


class AttemptState(models.TextChoices):
    PENDING = "pending", _("Waiting for the second factor")
    COMPLETED = "completed", _("Completed")


class LoginAttempt(models.Model):
    """Bound to one browser by `session`; `grant` and `challenge` are what is asked at the moment."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="login_attempts"
    )
    session = models.CharField(max_length=64)
    password_mark = models.CharField(max_length=64)
    grant = models.ForeignKey(DeviceGrant, models.SET_NULL, null=True, related_name="+")
    challenge = models.ForeignKey(Challenge, models.SET_NULL, null=True, related_name="+")
    state = models.CharField(max_length=10, choices=AttemptState, default=AttemptState.PENDING)
    address = models.CharField(max_length=45, blank=True)
    browser = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["user", "-started_at"], name="logins_of_a_user")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.state}"

    @property
    def asked(self) -> "LoginPrompt | None":
        """The prompt on the user's phone, if one was issued for this login."""
        return getattr(self, "prompt", None)
