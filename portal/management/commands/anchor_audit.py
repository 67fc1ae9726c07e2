"""Write an anchor of the audit chain now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.audit import anchors


class Command(BaseCommand):
    help = "Writes number and hash of the newest audit row to the places of AUDIT_ANCHOR."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = anchors.write(now=timezone.now())
        except anchors.AnchorError as error:
            raise CommandError(f"{error}. {error.cure}") from error
        except OSError as error:
            raise CommandError(f"{error}. Look at AUDIT_ANCHOR and its rights.") from error
        self.stdout.write(f"row {made.number} is anchored" if made else "nothing new")
