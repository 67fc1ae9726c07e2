"""The append-only, hash-chained record of every decision."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditEvent(models.Model):
    """
    One row of the chain. `number` counts from 1 without gaps; `hash` covers every other column and the
    hash before it. Written by `portal.audit.record` only; a trigger refuses changes and deletions.
    """

    number = models.BigIntegerField(_("number"), primary_key=True)
    at = models.DateTimeField(_("at"))
    event = models.CharField(_("event"), max_length=60)
    actor = models.CharField(_("actor"), max_length=40, blank=True)
    subject = models.CharField(_("subject"), max_length=40, blank=True)
    address = models.CharField(_("address"), max_length=45, blank=True)
    request_id = models.CharField(_("request"), max_length=36, blank=True)
    facts = models.JSONField(_("facts"), default=dict)
    previous_hash = models.CharField(max_length=64, unique=True)
    hash = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        ordering: ClassVar = ["number"]
        indexes: ClassVar = [
            models.Index(fields=["subject", "-number"], name="history_of_a_subject"),
            models.Index(fields=["actor", "-number"], name="history_of_an_actor"),
            models.Index(fields=["event", "-number"], name="history_of_an_event"),
            models.Index(fields=["request_id"], name="rows_of_a_request"),
            models.Index(fields=["at"], name="rows_of_a_time"),
        ]
        permissions: ClassVar = [("export_auditevent", _("Can export audit events"))]

    def __str__(self) -> str:
        return f"{self.number} {self.event}"
