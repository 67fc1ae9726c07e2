"""Take audit rows out as CSV or JSON lines."""

import getpass
import os
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from portal.audit.export import Form
from portal.audit.operations import take_out
from portal.audit.queries import Filters
from portal.caller import SYSTEM


class Command(BaseCommand):
    help = "Writes audit rows, oldest first, to a file or to the standard output. The export goes on record."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reason", required=True, help="goes on record")
        parser.add_argument("--form", choices=Form.values, default=Form.JSON_LINES.value)
        parser.add_argument("--output", metavar="FILE", default="-", help="a new file; - prints")
        parser.add_argument("--since", help="2026-11-01T00:00Z, inclusive")
        parser.add_argument("--until", help="exclusive")
        for name in ("event", "actor", "subject", "request-id"):
            parser.add_argument(f"--{name}", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = Filters(
            since=_time(options["since"]),
            until=_time(options["until"]),
            **{name: options[name] for name in ("event", "actor", "subject", "request_id")},
        )
        login = getpass.getuser()
        asked = {"wanted": wanted, "form": Form(options["form"]), "reason": options["reason"]}
        with ExitStack() as stack:
            write: Callable[[str], object] = partial(self.stdout.write, ending="")
            if options["output"] != "-":
                write = stack.enter_context(_new_file(options["output"])).write
            for line in take_out(**asked, by=SYSTEM, now=timezone.now(), login=login):
                write(line)


def _new_file(name: str) -> TextIO:
    """A file that only we may read; one that is there already is never written over."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        return open(os.open(name, flags, 0o600), "w", encoding="utf-8", newline="")
    except OSError as error:
        raise CommandError(str(error)) from error


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"no time: {text}")
    return found if timezone.is_aware(found) else timezone.make_aware(found)
