"""What became of each message, attempt by attempt, and how the SMS providers are."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from .outbox import OutboxMessage


class AttemptOutcome(models.TextChoices):
    HANDED_OVER = "handed_over", _("Handed over")
    FAILED = "failed", _("Failed")
    LOST = "lost", _("The worker did not come back")
    EXPIRED = "expired", _("Too late: not sent")
    REFUSED = "refused", _("Over budget: not sent")


class OutboxAttempt(models.Model):
    """
    One try to hand a message over, written when it ends. `number` is the value that `attempts` had; `unsure`:
    the provider may have the message all the same. `answer` names no number, no address, no word of the text.
    """

    message = models.ForeignKey(
        OutboxMessage,
        models.CASCADE,
        related_name="tries",
        db_index=False,  # the constraint's index begins with it
        verbose_name=_("message"),
    )
    number = models.PositiveSmallIntegerField(_("number"))
    provider = models.CharField(_("handed to"), max_length=40, blank=True)
    started_at = models.DateTimeField(_("started at"))
    ended_at = models.DateTimeField(_("ended at"))
    outcome = models.CharField(_("outcome"), max_length=11, choices=AttemptOutcome)
    answer = models.CharField(_("answer"), max_length=200, blank=True)
    gateway_id = models.CharField(_("id at the gateway"), max_length=80, blank=True)
    cost_units = models.PositiveSmallIntegerField(_("cost units"), default=0)
    unsure = models.BooleanField(_("may have been sent all the same"), default=False)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["message", "number"], name="one_row_for_each_attempt")
        ]

    def __str__(self) -> str:
        return f"{self.message_id} #{self.number}: {self.outcome}"


class SmsProvider(models.Model):
    """A provider that has failed lately: until `rests_until` others go first. No row means all is well."""

    name = models.CharField(_("name"), max_length=40, primary_key=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    failed_at = models.DateTimeField(_("failed at"), null=True)
    rests_until = models.DateTimeField(_("rests until"), null=True)
    answer = models.CharField(_("answer"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("SMS provider")
        verbose_name_plural = _("SMS providers")

    def __str__(self) -> str:
        return self.name
