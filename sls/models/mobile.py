"""A mobile number on its way to being verified."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.models import PhoneNumber

from .challenge import Challenge
from .device import SecurityDevice


class NumberCheckState(models.TextChoices):
    SENT = "sent", _("Code sent")
    VERIFIED = "verified", _("Verified")
    REPLACED = "replaced", _("Replaced by a newer one")


class NumberCheck(models.Model):
    """
    A code was sent to `number`, and `user` types it in. `device` stands for the number; it opens nothing
    before the user has decided to log in with SMS codes and got a grant for it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="number_checks")
    number = models.ForeignKey(PhoneNumber, models.PROTECT, related_name="checks")
    device = models.OneToOneField(SecurityDevice, models.PROTECT, related_name="number_check")
    challenge = models.ForeignKey(Challenge, models.SET_NULL, null=True, related_name="+")
    state = models.CharField(max_length=8, choices=NumberCheckState, default=NumberCheckState.SENT)
    sent_at = models.DateTimeField()
    verified_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state=NumberCheckState.VERIFIED, verified_at__isnull=False)
                | (~Q(state=NumberCheckState.VERIFIED) & Q(verified_at__isnull=True)),
                name="verified_number_has_its_time",
            ),
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(state=NumberCheckState.SENT),
                name="one_number_check_per_user",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.state}"
