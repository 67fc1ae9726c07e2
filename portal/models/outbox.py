"""Messages to the outside, written in the transaction of the change they tell of."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal import vault

from .account import User


class Channel(models.TextChoices):
    EMAIL = "email", _("E-mail")
    SMS = "sms", _("SMS")
    PUSH = "push", _("Push")


class MessageState(models.TextChoices):
    QUEUED = "queued", _("Waiting")
    SENDING = "sending", _("Being handed over")
    SENT = "sent", _("Handed over")
    FAILED = "failed", _("Set aside")
    EXPIRED = "expired", _("Expired")


class OutboxMessage(models.Model):
    """
    One message to one person over one channel.

    What it says is rendered at sending time from `event`, `language` and the sealed `context`. An e-mail
    goes to the user's address of that moment; the number of an SMS and the subscription of a push are the
    sealed `recipient`, and `target` is all of it that staff see. Context and recipient are blanked as soon as
    the message is handed over. `idempotency_key` names the fact it tells of, so that the same fact is told
    to the same person over the same channel once.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.PROTECT, related_name="messages")
    channel = models.CharField(_("channel"), max_length=8, choices=Channel)
    event = models.CharField(_("event"), max_length=60)
    language = models.CharField(_("language"), max_length=10)
    context = vault.SealedField(editable=False)
    recipient = vault.SealedField(editable=False, default="")
    target = models.CharField(_("sent to"), max_length=80, blank=True)
    idempotency_key = models.CharField(max_length=120, unique=True)
    state = models.CharField(
        _("state"), max_length=8, choices=MessageState, default=MessageState.QUEUED
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    maybe_twice = models.BooleanField(_("may have been sent twice"), default=False)
    last_error = models.CharField(_("last answer"), max_length=200, blank=True)
    gateway_id = models.CharField(_("id at the gateway"), max_length=80, blank=True)
    created_at = models.DateTimeField(_("created at"))
    next_try_at = models.DateTimeField(_("next try at"))
    expires_at = models.DateTimeField(_("expires at"))
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(channel="email")
                | ~Q(recipient="")
                | ~Q(state__in=["queued", "sending"]),
                name="waiting_messages_have_a_recipient",
            )
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(state__in=["queued", "sending"]),
                name="messages_still_to_do",
            )
        ]

    def __str__(self) -> str:
        return f"{self.event} → {self.user_id} ({self.channel})"
