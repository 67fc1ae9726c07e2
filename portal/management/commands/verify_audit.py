"""Check the audit chain."""

from argparse import ArgumentParser
from collections.abc import Iterable
from datetime import timedelta
from itertools import chain as one_after_another
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.audit import anchors
from portal.audit.verification import Walk, link_before
from portal.models import AuditEvent

ANCHORED_WITHIN = timedelta(minutes=10)  # the job runs every minute


class Command(BaseCommand):
    help = "Exits 0 when the audit chain is unbroken and not cut off; otherwise names the first bad row."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--anchors",
            metavar="FILE",
            action="append",
            help="a copy of the anchors, or a syslog with them, instead of this machine's file",
        )
        parser.add_argument("--from", dest="start", type=int, metavar="N", help="begin with row N")
        parser.add_argument(
            "--since-anchor", action="store_true", help="begin with the newest row anchored"
        )
        parser.add_argument("--strict", action="store_true", help="fail for a warning too")

    def handle(self, *args: Any, **options: Any) -> None:
        reading = self._read(options["anchors"])
        start = options["start"] or 1
        if options["since_anchor"] and reading.newest:
            start = reading.newest.number
        walk = Walk(after=link_before(start), anchors=reading.hashes)
        for number, what in walk.broken():
            raise CommandError(f"audit row {number} {what}")
        if reading.problems:
            raise CommandError(reading.problems[0])
        warnings = self._warnings(reading)
        for warning in warnings:
            self.stderr.write(warning)
        self.stdout.write(f"{walk.rows} rows, unbroken")
        if warnings and options["strict"]:
            raise CommandError("there are warnings")

    def _read(self, files: list[str] | None) -> anchors.Reading:
        if not files:
            return anchors.of_this_machine()
        try:
            return anchors.read(one_after_another.from_iterable(map(_lines, files)))
        except OSError as error:
            raise CommandError(f"the anchors cannot be read: {error}") from error

    def _warnings(self, reading: anchors.Reading) -> list[str]:
        if reading.newest is None:
            return [*reading.notes, "no anchors: rows cut off at the end would not be seen"]
        after = AuditEvent.objects.filter(number=reading.newest.number + 1).first()
        if after and timezone.now() - after.at > ANCHORED_WITHIN:
            where = f"row {reading.newest.number} ({reading.newest.at})"
            return [*reading.notes, f"no anchor since {where}, though rows were written long ago"]
        return reading.notes


def _lines(file: str) -> Iterable[str]:
    with Path(file).open(encoding="utf-8", errors="replace") as lines:
        yield from lines
