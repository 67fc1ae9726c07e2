"""
Machines whose clocks are hours apart (abuse-cases.md 190): what one wrote lives no longer on another. How workers
correct their clock is in tests/portal/test_clock.py.
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from portal import throttle
from portal.models import Allowance, BrowserSession
from sls import tasks
from sls.demo.handset import Refused
from sls.models import Challenge, LoginAttempt, LoginPrompt, Phone, PhoneNonce, PromptState
from tests.conftest import password, person, press, question_on
from tests.handset import PIN, demo_phone
from tests.sls.phone.test_api import log_in

pytestmark = pytest.mark.usefixtures("on_stage")
HOURS = timedelta(hours=2)
SKEW = timedelta(seconds=1)  # a difference that every network has


def move(model, by: timedelta, *columns: str) -> None:
    """As if the row had been written by a machine whose clock is off by so much."""
    for row in model.objects.all():
        for column in columns:
            setattr(row, column, getattr(row, column) + by)
        row.save(update_fields=columns)


def move_login(by: timedelta) -> None:
    move(LoginAttempt, by, "started_at", "expires_at")
    move(LoginPrompt, by, "created_at", "expires_at", "sent_at")
    move(Challenge, by, "issued_at", "expires_at")


@pytest.mark.parametrize("by", [HOURS, -HOURS])
def test_a_prompt_by_a_clock_that_is_off_is_not_approved_but_may_be_denied(by):
    _browser, number = log_in()
    move(LoginPrompt, by, "created_at", "expires_at", "sent_at")
    phone, row = demo_phone(), LoginPrompt.objects.get()
    prompt = {"id": row.pk, "attempt": str(row.attempt_id), "username": row.user.username}
    with pytest.raises(Refused) as refused:
        phone.decide(prompt, "approve", pin=PIN, number=number)
    assert refused.value.code == "prompt_over"
    if by > timedelta(0):
        assert phone.decide(prompt, "deny") == PromptState.DENIED


@pytest.mark.parametrize("by", [HOURS, -HOURS])
def test_a_login_by_a_clock_that_is_off_is_over(by):
    browser, number = log_in()
    phone = demo_phone()
    phone.decide(phone.waiting()[0], "approve", pin=PIN, number=number)
    move(LoginAttempt, by, "started_at", "expires_at")
    page = browser.post("/login/push/")
    assert 'data-code="login_over"' in page.content.decode()
    assert not LoginAttempt.objects.filter(state="completed").exists()


def test_a_difference_that_every_network_has_stops_nobody():
    browser, number = log_in()
    move_login(SKEW)
    phone = demo_phone()
    phone.decide(phone.waiting()[0], "approve", pin=PIN, number=number)
    assert browser.post("/login/push/").url == "/"


@pytest.mark.parametrize("by", [HOURS, -HOURS])
def test_a_question_by_a_clock_that_is_off_is_over(client, by):
    form = {"username": person("owner").username, "password": password("owner")}
    page = client.post("/login/", form, follow=True)
    question = question_on(page.content.decode())
    move(Challenge, by, "issued_at", "expires_at")
    page = client.post("/login/challenge/", {"response": press("owner", question)})
    assert 'data-code="challenge_expired"' in page.content.decode()


def test_rows_by_a_clock_that_is_behind_are_not_forgotten_while_they_count_there(monkeypatch):
    now = timezone.now()
    monkeypatch.setattr(tasks, "shared_now", lambda: now)
    signed_at = now - HOURS
    PhoneNonce.objects.create(phone=Phone.objects.get(), nonce="n", expires_at=signed_at)
    throttle.spend([(throttle.PASSWORD_FROM_ADDRESS, "192.0.2.1")], now=signed_at)
    tasks.close_expired()
    assert PhoneNonce.objects.exists()  # or a signed request would count twice
    assert throttle.left((throttle.PASSWORD_FROM_ADDRESS, "192.0.2.1"), now=signed_at) == 99
    monkeypatch.setattr(tasks, "shared_now", lambda: now + HOURS)
    tasks.close_expired()
    assert not PhoneNonce.objects.exists()
    assert not Allowance.objects.filter(key="192.0.2.1").exists()


def test_a_lock_lasts_longer_by_the_difference_at_most():
    now = timezone.now()
    pair = (throttle.SECOND_FACTOR_OF_USER, "somebody")
    for _ in range(pair[0].size):
        throttle.spend([pair], now=now + HOURS)
    assert throttle.used_up([pair], now=now)
    for hours in range(1, 24):  # tries in between prolong nothing
        throttle.spend([pair], now=now + timedelta(hours=hours))
    assert not throttle.used_up([pair], now=now + throttle.DAY + HOURS)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/New_York"])
def test_the_zone_of_a_machine_changes_no_expiry(client, settings, zone):
    """Times are kept in UTC, so neither does an hour that a zone has twice or not at all."""
    settings.TIME_ZONE = zone
    with timezone.override(zone):
        form = {"username": person("owner").username, "password": password("owner")}
        page = client.post("/login/", form, follow=True)
        row = Challenge.objects.get()
        assert row.expires_at - row.issued_at == settings.CHALLENGE_LIFE
        question = question_on(page.content.decode())
        assert client.post("/login/challenge/", {"response": press("owner", question)}).url == "/"
        session = BrowserSession.objects.get(user_id__isnull=False)
        left = session.expire_date - timezone.now()
        assert settings.SESSION_LIFE - timedelta(minutes=1) < left <= settings.SESSION_LIFE
