"""Create the demo's cast, or print it."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from sls.demo import cast, operations


class Command(BaseCommand):
    help = "(Re)creates the demo's users and devices and writes them, with their secrets, as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", metavar="FILE", help="where to write the cast; - prints it")
        parser.add_argument(
            "--only-json", action="store_true", help="print the cast without touching the database"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        text = json.dumps(cast.as_json(), indent=2, ensure_ascii=False)
        if options["only_json"]:
            self.stdout.write(text)
            return
        if not settings.DEMO_MODE and not settings.IS_LOCAL:
            raise CommandError(
                "The demo's cast, whose passwords everybody knows, stays off the net."
            )
        if not settings.DEMO_MODE and not operations.is_only_audience():
            raise CommandError("This database has real users: the demo's cast is kept out of it.")
        operations.recreate(now=timezone.now())
        if not settings.DEMO_MODE:
            sys.stderr.write("Warning: everybody knows the passwords of the demo's cast.\n")
        if options["json"] == "-":
            self.stdout.write(text)
        elif options["json"]:
            Path(options["json"]).write_text(text + "\n", encoding="utf-8")
