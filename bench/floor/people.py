"""Run in the floor's own process: make its tables and users, or count what its pages cost."""

import json
import sys
from datetime import UTC, datetime
from typing import Any

import django

if __name__ == "__main__":
    django.setup()  # before the models below are imported

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from bench.floor.models import Code, Device
from bench.floor.order import CODE
from tests.counting import Count, counting

PASSWORD = "a-password-of-the-benchmarks"


def lender(name: str, rows: list[dict[str, str]]) -> str:
    """A user with these devices, logged in; the cookie's value."""
    user = User.objects.create(username=name, password=make_password(PASSWORD))
    since = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
    Device.objects.bulk_create(Device(user=user, since=since, **row) for row in rows)
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


def holders(prefix: str, count: int) -> None:
    hashed = make_password(PASSWORD)
    people = User.objects.bulk_create(
        User(username=f"{prefix}-{number}", password=hashed) for number in range(count)
    )
    Code.objects.bulk_create(Code(user=user, code=CODE) for user in people)


def log_in(client: Client, name: str) -> None:
    client.get("/login/")
    client.post("/login/", {"username": name, "password": PASSWORD})
    client.get("/code/")
    response = client.post("/code/", {"response": CODE})
    assert response.status_code == 302, response.content
    client.get("/")


def _cost(count: Count) -> dict[str, int]:
    return {"sql": count.sql, "writes": count.writes}


def main(order: dict[str, Any]) -> object:
    match order["do"]:
        case "migrate":
            call_command("migrate", verbosity=0)
            call_command("migrate", verbosity=0, run_syncdb=True)  # our tables name users
            return None
        case "lender":
            return lender(order["name"], order["rows"])
        case "holders":
            return holders(order["prefix"], order["count"])
        case "count login":
            with counting() as count:
                log_in(Client(), order["name"])
            return _cost(count)
        case "count list":
            client = Client()
            client.force_login(User.objects.get(username=order["name"]))
            with counting() as count:
                assert client.get("/devices/").status_code == 200
            return _cost(count)
    raise ValueError(order["do"])


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
