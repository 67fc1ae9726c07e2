"""A phone on the command line: docs/phone-protocol.md, by HTTP only."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from sls.demo import cast
from sls.demo.handset import Handset, Refused


class Command(BaseCommand):
    help = "Activates IB Key and approves logins like a phone, for tests and demonstrations."
    requires_system_checks: list[str] = []  # noqa: RUF012  # it is a phone: it has no database
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--at", default=settings.BASE_URL, help="the portal's address")
        parser.add_argument(
            "--state", type=Path, default=settings.VAR_DIR / "phone.json", help="the phone's file"
        )
        parser.add_argument("--pin", default="", help="asked for on the terminal when left out")
        actions = parser.add_subparsers(dest="action", required=True)
        for name, words in (
            ("activate", "Register Two-Factor on a new phone"),
            ("add", "Add user: one more username on this phone"),
            ("recover", "the same on a re-installed phone, with the earlier PIN"),
        ):
            action = actions.add_parser(name, help=words)
            action.add_argument("username")
            action.add_argument("--password", default="")
            action.add_argument("--code", default="", help="the Activation Token of the SMS")
            if name != "recover":
                action.add_argument("--device", default="", help="serial of a device to agree")
        actions.add_parser("demo", help="become the phone of the demo's cast")
        actions.add_parser("list", help="what waits")
        for name in ("approve", "deny", "cancel"):
            action = actions.add_parser(name)
            action.add_argument("--number", default="", help="the number on the login page")
        passcode = actions.add_parser("passcode", help="answer a challenge, without a network")
        passcode.add_argument("username")
        passcode.add_argument("challenge")
        actions.add_parser("status", help="the phone as the portal knows it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"do_{options['action']}")(options)
        except Refused as refused:
            raise CommandError(str(refused)) from refused
        except OSError as error:
            raise CommandError(f"the portal does not answer: {error}") from error

    def _phone(self, options: dict[str, Any]) -> Handset:
        if not options["state"].exists():
            raise CommandError("This phone is not activated: begin with `activate`.")
        return Handset.load(options["state"])

    def do_activate(self, options: dict[str, Any]) -> None:
        self._register(Handset.new(options["at"]), options)

    def do_add(self, options: dict[str, Any]) -> None:
        self._register(self._phone(options), options)

    def do_recover(self, options: dict[str, Any]) -> None:
        self._register(Handset.new(options["at"]), options | {"device": ""}, recovers=True)

    def _register(self, phone: Handset, options: dict[str, Any], *, recovers: bool = False) -> None:
        started = phone.start(options["username"], options["password"] or self._ask("Password"))
        needed = started["agreement"]["is_needed"] and not recovers
        if needed and started["agreement"]["devices"]:
            self._agree(phone, started, options["device"])
        sent = phone.get_code(started)
        self.stdout.write(f"An SMS is on its way to {sent['masked']}.")
        code = options["code"] or self._ask("Activation Code")
        pin = options["pin"] or self._ask("PIN")
        waits = needed and not started["agreement"]["devices"]
        answered = phone.activate(
            started, code, pin, recovery_pin=pin if recovers else "", accepts_wait=waits
        )
        if answered.get("state") == "waiting":
            self.stdout.write(f"Waiting until {answered['ready_at']}.")
            return
        phone.save(options["state"])
        self.stdout.write(f"{answered['username']} is active: {answered['serial']}")

    def _agree(self, phone: Handset, started: dict[str, Any], serial: str) -> None:
        devices = started["agreement"]["devices"]
        found = [d for d in devices if d["serial"][-4:] == serial[-4:]] if serial else devices
        if not found:
            raise CommandError(f"No such device; there are {[d['serial'] for d in devices]}.")
        asked = phone.ask(started, found[0]["id"])
        self.stdout.write(f"{found[0]['name']} {found[0]['serial']}: {asked['question']}")
        phone.agree(started, self._ask("Response"))

    def do_demo(self, options: dict[str, Any]) -> None:
        cast.handset(options["at"]).save(options["state"])
        self.stdout.write(f"This is the phone of the demo; its PIN is {cast.PHONE_PIN}.")

    def do_list(self, options: dict[str, Any]) -> None:
        for prompt in self._phone(options).waiting():
            number = " (asks for the number)" if prompt["asks_number"] else ""
            self.stdout.write(
                f"{prompt['username']}: {prompt['place']}, {prompt['browser']}, "
                f"{prompt['seconds_left']} s left{number}"
            )

    def do_approve(self, options: dict[str, Any]) -> None:
        self._decide(options, "approve", pin=options["pin"] or self._ask("PIN"))

    def do_deny(self, options: dict[str, Any]) -> None:
        self._decide(options, "deny")

    def do_cancel(self, options: dict[str, Any]) -> None:
        self._decide(options, "cancel")

    def _decide(self, options: dict[str, Any], decision: str, pin: str = "") -> None:
        phone = self._phone(options)
        waiting = phone.waiting()
        if not waiting:
            raise CommandError("Nothing waits.")
        number = options["number"] if decision == "approve" else ""
        self.stdout.write(phone.decide(waiting[0], decision, pin=pin, number=number))

    def do_passcode(self, options: dict[str, Any]) -> None:
        phone = self._phone(options)
        if options["username"] not in phone.users:
            raise CommandError(f"Not on this phone; there are {sorted(phone.users)}.")
        pin = options["pin"] or self._ask("PIN")
        self.stdout.write(phone.passcode(options["username"], options["challenge"], pin))

    def do_status(self, options: dict[str, Any]) -> None:
        phone = self._phone(options)
        known = phone.call("GET", "phone", signed_as=phone.phone)
        users = ", ".join(user["username"] for user in known["users"])
        self.stdout.write(f"{known['phone']} {known['state']}: {users}")

    def _ask(self, what: str) -> str:
        self.stdout.write(f"{what}: ", ending="")
        self.stdout.flush()
        return sys.stdin.readline().strip()
