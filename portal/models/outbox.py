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


class Urgency(models.IntegerChoices):
    """Each has a queue of its own; a smaller number goes first."""

    URGENT = 0, _("Somebody waits for it")
    NORMAL = 1, _("Soon")
    BULK = 2, _("When there is time")

    @property
    def queue(self) -> str:
        return self.name.lower()


class MessagePurpose(models.TextChoices):
    CODE = "code", _("A code to enter")
    WAKE = "wake", _("Wakes a phone")
    LINK = "link", _("A link to open")
    NOTICE = "notice", _("A notice")


class MessageState(models.TextChoices):
    QUEUED = "queued", _("Waiting")
    SENDING = "sending", _("Being handed over")
    SENT = "sent", _("Handed over")
    FAILED = "failed", _("Set aside")
    EXPIRED = "expired", _("Expired")
    REFUSED = "refused", _("Over budget")


WAITING = (MessageState.QUEUED, MessageState.SENDING)
SET_ASIDE = (MessageState.FAILED, MessageState.REFUSED)  # staff may send them again


class Receipt(models.TextChoices):
    """What the carrier has told since; nothing means not confirmed."""

    NONE = "", _("Not confirmed")
    DELIVERED = "delivered", _("Delivered")
    UNDELIVERED = "undelivered", _("Not delivered")


class OutboxMessage(models.Model):
    """
    One message to one person over one channel.

    What it says is rendered at sending time from `event`, `language` and the sealed `context`. An e-mail goes
    to the user's address of that moment; the number of an SMS and the subscription of a push are the sealed
    `recipient`. Staff see no more of either than `target`, masked when the row was made, and a number's
    `country`. Context and recipient are blanked as soon as the message is handed over. `idempotency_key`
    names the fact it tells of, so that the same fact is told to the same person over the same channel once.

    `segments` and `encoding` are those of an SMS, `cost_units` what all attempts have cost: segments times
    the weight of the country. Each attempt has a row of its own (`OutboxAttempt`).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.PROTECT, related_name="messages")
    channel = models.CharField(_("channel"), max_length=8, choices=Channel)
    event = models.CharField(_("event"), max_length=60)
    purpose = models.CharField(
        _("purpose"), max_length=8, choices=MessagePurpose, default=MessagePurpose.NOTICE
    )
    urgency = models.PositiveSmallIntegerField(
        _("urgency"), choices=Urgency, default=Urgency.NORMAL
    )
    language = models.CharField(_("language"), max_length=10)
    context = vault.SealedField(editable=False)
    recipient = vault.SealedField(editable=False, default="")
    target = models.CharField(_("sent to"), max_length=80, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True)
    idempotency_key = models.CharField(max_length=120, unique=True)
    state = models.CharField(
        _("state"), max_length=8, choices=MessageState, default=MessageState.QUEUED
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    maybe_twice = models.BooleanField(_("may have been sent twice"), default=False)
    last_error = models.CharField(_("last answer"), max_length=200, blank=True)
    provider = models.CharField(_("handed to"), max_length=40, blank=True)
    gateway_id = models.CharField(_("id at the gateway"), max_length=80, blank=True)
    created_at = models.DateTimeField(_("created at"))
    next_try_at = models.DateTimeField(_("next try at"))
    expires_at = models.DateTimeField(_("expires at"))
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    template_version = models.CharField(_("version of the template"), max_length=12, blank=True)
    encoding = models.CharField(_("encoding"), max_length=5, blank=True)
    segments = models.PositiveSmallIntegerField(_("parts"), default=0)
    cost_units = models.PositiveIntegerField(_("cost units"), default=0)
    receipt = models.CharField(
        _("receipt"), max_length=11, choices=Receipt, default=Receipt.NONE, blank=True
    )
    receipt_at = models.DateTimeField(_("receipt at"), null=True, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        permissions: ClassVar = [("resend_outboxmessage", _("Can send a message again"))]
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
                fields=["urgency", "next_try_at"],
                condition=Q(state__in=["queued", "sending"]),
                name="messages_still_to_do",
            ),
            models.Index(
                fields=["expires_at"],
                condition=Q(state__in=["failed", "refused"]) & ~Q(context=""),
                name="messages_to_be_blanked",
            ),
            models.Index(
                fields=["created_at"], condition=Q(state="failed"), name="messages_set_aside"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} → {self.user_id} ({self.channel})"
