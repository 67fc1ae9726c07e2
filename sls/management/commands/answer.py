"""A demo device on the command line."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sls.demo import simulator


class Command(BaseCommand):
    help = "Prints what a device of the demo's cast would display for a question."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("serial")
        parser.add_argument("question", help='the challenge code, or the index numbers: "17 142"')
        parser.add_argument("--pin", default="", help="the PIN typed into a DSC+")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.stdout.write(
                simulator.answer(options["serial"], options["question"], pin=options["pin"])
            )
        except simulator.NoAnswer as error:
            raise CommandError(str(error)) from error
