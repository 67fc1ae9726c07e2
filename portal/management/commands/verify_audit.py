"""Check the audit chain."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal import audit
from portal.models import AuditEvent


class Command(BaseCommand):
    help = "Exits 0 when the audit chain is unbroken; otherwise names the first bad row."

    def handle(self, *args: Any, **options: Any) -> None:
        for number, what in audit.broken_rows():
            raise CommandError(f"audit row {number} {what}")
        self.stdout.write(f"{AuditEvent.objects.count()} rows, unbroken")
