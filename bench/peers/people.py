"""Run in a peer's own environment: make its tables and users, or count what a login costs there."""

import importlib
import json
import os
import sys
from importlib import metadata
from typing import Any

import django

if __name__ == "__main__":
    django.setup()  # before the models below are imported

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.management import call_command

from bench.browser import InProcess
from bench.peers.credentials import PASSWORD
from tests.counting import counting

PEER = os.environ["PEER"]


def holders(prefix: str, count: int) -> None:
    """Users with a confirmed TOTP device each."""
    hashed = make_password(PASSWORD)
    people = User.objects.bulk_create(
        [User(username=f"{prefix}-{number}", password=hashed) for number in range(count)],
        batch_size=5000,
    )
    importlib.import_module(f"bench.peers.{PEER}.devices").give(people)


def count_login(warm: str, name: str) -> dict[str, int]:
    """`warm` logs in first: what a process does once is not a login's cost."""
    log_in = importlib.import_module(f"bench.peers.{PEER}.login").log_in
    log_in(InProcess(), warm)
    browser = InProcess()
    with counting() as count:
        log_in(browser, name)
    return {"requests": len(browser.seen), "sql": count.sql, "writes": count.writes}


def main(order: dict[str, Any]) -> object:
    match order["do"]:
        case "migrate":
            return call_command("migrate", verbosity=0)
        case "holders":
            return holders(order["prefix"], order["count"])
        case "count login":
            return count_login(order["warm"], order["name"])
        case "version":
            return metadata.version(order["distribution"])
    raise ValueError(order["do"])


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
