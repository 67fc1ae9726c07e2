"""The way into a new deployment."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from portal.models import Entity, User
from sls import oath
from tests.conftest import question_on

PASSWORD = "a quiet harbour 9"


def first(monkeypatch, username="root.admin", password=PASSWORD):
    monkeypatch.setenv("ADMIN_PASSWORD", password)
    out = io.StringIO()
    call_command("first_administrator", username, "root@example.com", "Root Admin", stdout=out)
    return dict(line.split(maxsplit=1) for line in out.getvalue().splitlines())


def test_the_first_administrator_enters_the_admin_with_what_is_printed(db, monkeypatch):
    printed = first(monkeypatch)
    client = Client()
    page = client.post(
        "/login/?next=/admin/", {"username": "root.admin", "password": PASSWORD}, follow=True
    )
    question = question_on(page.content.decode())
    key = bytes.fromhex(printed["key"])
    response = oath.ocra(printed["suite"], key, question, pin=printed["PIN"])
    client.post("/login/challenge/", {"response": response})
    assert client.get("/admin/").status_code == 200


def test_there_is_one_first_administrator(db, monkeypatch):
    first(monkeypatch)
    with pytest.raises(CommandError, match="already"):
        first(monkeypatch, "second.admin")


@pytest.mark.parametrize(("username", "password"), [("Bad Name!", PASSWORD), ("root.admin", "123")])
def test_bad_input_is_told_and_leaves_nothing(db, monkeypatch, username, password):
    with pytest.raises(CommandError):
        first(monkeypatch, username, password)
    assert not User.objects.exists()
    assert not Entity.objects.exists()
