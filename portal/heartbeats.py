"""Workers and beat leave a mark that they are at work; `doctor`, the metrics and the admin read it."""

from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from portal.models import Heartbeat

EVERY = timedelta(seconds=20)  # between two marks of one process
STALE = timedelta(seconds=90)  # without a mark for longer, it is not at work
FORGOTTEN = timedelta(hours=1)


def mark(*, kind: str, name: str, now: datetime) -> None:
    """One statement. Beat also forgets those that have been gone for long."""
    if settings.HEARTBEAT_FOLDER:
        Path(settings.HEARTBEAT_FOLDER, f"{kind}.alive").touch()
    Heartbeat.objects.bulk_create(
        [Heartbeat(kind=kind, name=name[:120], seen_at=now)],
        update_conflicts=True,
        unique_fields=["kind", "name"],
        update_fields=["seen_at"],
    )
    if kind == Heartbeat.Kind.BEAT:
        Heartbeat.objects.filter(seen_at__lt=now - FORGOTTEN).delete()


def forget(*, kind: str, name: str) -> None:
    """It was stopped on purpose."""
    Heartbeat.objects.filter(kind=kind, name=name[:120]).delete()


def last_seen(kind: str) -> datetime | None:
    """When any process of this kind was last at work."""
    newest = Heartbeat.objects.filter(kind=kind).order_by("-seen_at")
    return newest.values_list("seen_at", flat=True).first()
