"""One question put to one device."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .device import SecurityDevice


class Purpose(models.TextChoices):
    """What an answer is good for. An answer for one purpose never serves another."""

    LOGIN = "login", _("Log in")
    SHARE = "share", _("Share a device")
    ACTIVATE = "activate", _("Activate a device")
    RESET = "reset", _("Set a new password")
    PHONE = "phone", _("Activate a phone")
    CALLER_CHECK = "caller_check", _("Check a caller")


class ChallengeState(models.TextChoices):
    OPEN = "open", _("Open")
    ANSWERED = "answered", _("Answered")


class Challenge(models.Model):
    """
    `user` is the one whose login or request it serves; `session` is the digest of his browser's session.
    The row that caused it (a share request, a login attempt) points here, and only its newest is good.

    An answered question never comes again for its device: for a DSC+ the same digits, for a card the
    same pair of cells (unless the card's mode lets pairs repeat; then `reusable` is set). A device that is
    answered by a code has no question; a code that was drawn for this challenge alone is kept as a keyed
    fingerprint in `expected`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False
    )
    device = models.ForeignKey(SecurityDevice, models.PROTECT, related_name="challenges")
    purpose = models.CharField(max_length=12, choices=Purpose)
    session = models.CharField(max_length=64)
    question = models.CharField(max_length=8, blank=True)
    expected = models.CharField(max_length=80, blank=True)
    reusable = models.BooleanField(default=False)
    state = models.CharField(max_length=8, choices=ChallengeState, default=ChallengeState.OPEN)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["device", "question"],
                condition=Q(state=ChallengeState.ANSWERED, reusable=False),
                name="answered_question_never_again",
            ),
            models.CheckConstraint(
                condition=Q(state=ChallengeState.ANSWERED, answered_at__isnull=False)
                | Q(state=ChallengeState.OPEN, answered_at__isnull=True),
                name="answered_has_its_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["device", "expires_at"],
                condition=Q(state=ChallengeState.OPEN),
                name="open_challenges_of_a_device",
            ),
            models.Index(fields=["user", "issued_at"], name="challenges_of_a_user"),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.id}"
