"""The way into a new deployment."""

import getpass
import os
import secrets
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.caller import SYSTEM
from portal.models import Entity, User
from sls.catalog import DSC_PLUS_SUITE, PIN_DIGITS
from sls.devices import making, operations

KEY_BYTES = 32


class Command(BaseCommand):
    help = (
        "Creates the first administrator with a DSC+ and prints, once, what the device needs. The password is "
        "asked for, or taken from ADMIN_PASSWORD. Refused when there is an administrator."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("email")
        parser.add_argument("name", help="the person's name")
        parser.add_argument("--serial", default="DSC-00000001", help="serial number of the DSC+")

    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.filter(is_superuser=True).exists():
            raise CommandError("There is an administrator already.")
        password = os.environ.get("ADMIN_PASSWORD") or getpass.getpass("Password: ")
        key = secrets.token_bytes(KEY_BYTES)
        pin = f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}}"
        now = timezone.now()
        entity = Entity(name=options["name"])
        try:
            validate_password(password)
            entity.full_clean()
            entity.save()
            User.objects.create_user(
                options["username"],
                password,
                entity,
                email=options["email"],
                is_staff=True,
                is_superuser=True,
            )
        except ValidationError as error:
            if not entity.users.exists():
                Entity.objects.filter(pk=entity.pk).delete()
            raise CommandError("; ".join(error.messages)) from error
        device = making.new_dsc_plus(serial=options["serial"], key=key, pin=pin, now=now)
        owners = {device.serial: options["username"]}
        operations.provision([device], by=SYSTEM, now=now, owners=owners)
        self.stdout.write(
            f"serial {device.serial}\nsuite  {DSC_PLUS_SUITE}\nkey    {key.hex()}\nPIN    {pin}"
        )
