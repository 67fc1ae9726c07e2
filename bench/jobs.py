"""The product's Celery application with two jobs more: one that does nothing, and the floor of the messages."""

import time
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.db import models

if not apps.ready:  # the worker imports us first
    django.setup()

from portal.celery import app


class Job(models.Model):
    """What a bare task reads and changes: a row as wide as a message's envelope."""

    state = models.CharField(max_length=8, default="queued")
    words = models.CharField(max_length=300, default="x" * 250)
    done_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "bench"

    def __str__(self) -> str:
        return self.state


@app.task(name="bench.select_and_update")
def select_and_update(number: int) -> None:
    """One select and one durable update."""
    from django.utils import timezone

    row = Job.objects.get(pk=number)
    Job.objects.filter(pk=row.pk, state="queued").update(state="done", done_at=timezone.now())


@app.task(name="bench.nothing")
def nothing(sent_at: float) -> None:
    """Note how long it took to come here."""
    started_at = time.time()
    _redis().rpush("bench:nothing", f"{started_at - sent_at:.6f}")


def _redis() -> Any:
    import redis

    global _client
    if _client is None:
        _client = redis.Redis.from_url(settings.REDIS_URL)
    return _client


_client: Any = None
