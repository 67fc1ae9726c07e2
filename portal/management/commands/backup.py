"""Copy the database to a file while the portal runs."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal import backup


class Command(BaseCommand):
    help = (
        "Copies the database to a new FILE: SQLite as a database, PostgreSQL as pg_dump's custom format. "
        "VAULT_KEYS are not in it; keep them elsewhere. After restoring it, run `restored` first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            backup.make(options["file"].absolute(), now=timezone.now())
        except backup.BackupError as error:
            raise CommandError(str(error)) from error
        size = options["file"].stat().st_size
        self.stdout.write(f"{options['file']}: {size} bytes")
