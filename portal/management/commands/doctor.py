"""Examine this deployment."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.doctor.examination import examine


class Command(BaseCommand):
    help = "Checks the deployment and says what is wrong, why it matters and what to do. Exits 1 when something fails."
    requires_system_checks = ()  # they are among what is examined

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        failures = 0
        for finding in examine(now=timezone.now()):
            failures += finding.fails
            if options["json"]:
                self.stdout.write(json.dumps(asdict(finding) | {"fails": finding.fails}))
            elif finding.is_well:
                self.stdout.write(f"  ok    {finding.what}")
            else:
                mark = " FAIL " if finding.fails else " note "
                self.stdout.write(f"{mark}  {finding.what}: {finding.why}\n        → {finding.fix}")
        if failures:
            raise CommandError(f"{failures} failed")
        if not options["json"]:
            self.stdout.write("Nothing fails.")
