"""A login between password and completion."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .challenge import Challenge
from .device import DeviceGrant


class AttemptState(models.TextChoices):
    PENDING = "pending", _("Waiting for the second factor")
    COMPLETED = "completed", _("Completed")
    EXPIRED = "expired", _("Not finished in time")


class Preference(models.TextChoices):
    """What a user wants of the devices he is asked for, put into force when he has logged in."""

    UNCHANGED = "", _("As it is")
    THIS_FIRST = "this", _("Ask for this device first from now on")
    NONE_FIRST = "none", _("Let me choose every time")


class LoginAttempt(models.Model):
    """
    Bound to one browser by `session`; `grant` and `challenge` are what is asked at the moment. One that
    only `confirms` belongs to a user who is logged in already.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="login_attempts", db_index=False
    )
    session = models.CharField(max_length=64)
    password_mark = models.CharField(max_length=64)
    grant = models.ForeignKey(DeviceGrant, models.SET_NULL, null=True, related_name="+")
    challenge = models.ForeignKey(Challenge, models.SET_NULL, null=True, related_name="+")
    state = models.CharField(max_length=10, choices=AttemptState, default=AttemptState.PENDING)
    confirms = models.BooleanField(default=False)
    preference = models.CharField(max_length=4, choices=Preference, blank=True)
    address = models.CharField(max_length=45, blank=True)
    browser = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["user", "-started_at"], name="logins_of_a_user"),
            models.Index(
                fields=["expires_at"],
                condition=models.Q(state=AttemptState.PENDING),
                name="logins_still_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.state}"
