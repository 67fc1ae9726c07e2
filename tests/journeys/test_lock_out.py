"""A stranger can slow the client down, and not lock him out of the browser he always uses."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal import throttle
from portal.models import Allowance
from tests.conftest import PLAYS, LogIn, password

OWNER = PLAYS["owner"].username


def try_password(client: Client, typed: str):
    return client.post("/login/", {"username": OWNER, "password": typed})


def is_let_on(response) -> bool:
    return response.status_code == 302


def test_ten_failures_lock_a_name_for_unknown_browsers(on_stage):
    stranger = Client()
    for _ in range(throttle.PASSWORD_OF_NAME.size):
        assert not is_let_on(try_password(stranger, "wrong"))
    assert not is_let_on(try_password(Client(), password("owner")))


def test_the_lock_ends_24_hours_after_the_last_failure_whatever_came_later(on_stage):
    for _ in range(throttle.PASSWORD_OF_NAME.size + 5):
        try_password(Client(), "wrong")
    row = Allowance.objects.get(limit=throttle.PASSWORD_OF_NAME.name)
    assert row.resets_at <= timezone.now() + timedelta(hours=24)
    Allowance.objects.update(resets_at=timezone.now())
    assert is_let_on(try_password(Client(), password("owner")))


def test_a_known_browser_keeps_a_lane_of_its_own(log_in: LogIn):
    client = log_in("owner")
    client.post("/logout/")
    for _ in range(throttle.PASSWORD_OF_NAME.size):
        try_password(Client(), "wrong")

    assert is_let_on(try_password(client, password("owner")))


def test_a_known_browser_has_ten_tries_too(log_in: LogIn):
    client = log_in("owner")
    client.post("/logout/")
    for _ in range(throttle.PASSWORD_IN_KNOWN_BROWSER.size):
        assert not is_let_on(try_password(client, "wrong"))
    assert not is_let_on(try_password(client, password("owner")))


@pytest.mark.parametrize("cookie", ["x", "eyJ4IjoxfQ:1:1", "", "{}", "a" * 5000])
def test_a_forged_mark_opens_no_lane(on_stage, cookie):
    client = Client()
    client.cookies["known"] = cookie
    for _ in range(throttle.PASSWORD_OF_NAME.size):
        try_password(client, "wrong")
    assert not is_let_on(try_password(client, password("owner")))


def test_the_mark_of_one_username_is_no_lane_for_another(log_in: LogIn):
    client = log_in("stranger")
    client.post("/logout/")
    for _ in range(throttle.PASSWORD_OF_NAME.size):
        try_password(client, "wrong")
    assert not is_let_on(try_password(client, password("owner")))
