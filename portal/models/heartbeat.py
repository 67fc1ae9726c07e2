"""When each worker and beat were last seen at work."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class Heartbeat(models.Model):
    """`name` is Celery's name of the worker (worker@host), or the host of beat."""

    class Kind(models.TextChoices):
        WORKER = "worker", _("Worker")
        BEAT = "beat", _("Scheduler")

    kind = models.CharField(_("kind"), max_length=6, choices=Kind)
    name = models.CharField(_("name"), max_length=120)
    seen_at = models.DateTimeField(_("last seen at"))

    class Meta:
        verbose_name = _("process at work")
        verbose_name_plural = _("processes at work")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "name"], name="one_heartbeat_per_process"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
