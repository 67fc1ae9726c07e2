"""To run once after an old copy of the database has been put back, before anything is served from it."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from portal.caller import SYSTEM
from sls.restoring import operations


class Command(BaseCommand):
    help = (
        "After a restore: ends every session, question, code, prompt and half-done wizard of the copy, and forgets "
        "known browsers. Safe to run again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        ended = operations.void_what_was_open(by=SYSTEM, now=timezone.now())
        for what, number in ended.items():
            self.stdout.write(f"{what.replace('_', ' ')}: {number}")
        self.stdout.write(
            "Not known to the copy, so look yourself: passwords changed, devices and phones revoked or frozen, shares "
            "ended, and usernames locked since it was made. docs/operations.md, Restore."
        )
