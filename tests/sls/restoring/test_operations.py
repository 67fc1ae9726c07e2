"""After a restore nothing of the copy is open any more (abuse-cases.md F 169)."""

import io
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.utils import timezone

from portal import audit
from portal.caller import SYSTEM
from portal.errors import Refused
from portal.models import AuditEvent, BrowserSession, Channel, OutboxMessage
from portal.outbox import delivery
from sls.devices import challenges
from sls.login import operations as login
from sls.models import (
    Challenge,
    ChallengeState,
    LoginAttempt,
    LoginPrompt,
    PasswordReset,
    Purpose,
    ShareRequest,
)
from sls.restoring import operations
from tests.conftest import PLAYS, by, password, person, press, question_on
from tests.journeys.test_forgotten_password import ask, opened
from tests.journeys.test_sms_codes import number

pytestmark = pytest.mark.usefixtures("on_stage")
SHARE = "/settings/user/secure-login/share/"


def restored(now=None) -> dict[str, int]:
    return operations.void_what_was_open(by=SYSTEM, now=now or timezone.now())


def half_logged_in(plays="owner") -> tuple[Client, str, str]:
    """A browser that has typed the password; where, and what, it would answer."""
    client = Client()
    form = {"username": PLAYS[plays].username, "password": password(plays)}
    page = client.post("/login/", form, follow=True)
    return client, page.redirect_chain[-1][0], press(plays, question_on(page.content.decode()))


def test_a_login_between_password_and_device_is_over():
    client, where, response = half_logged_in()
    assert restored()["logins"] == 1
    client.post(where, {"response": response}, follow=True)
    assert client.get("/").status_code == 302
    assert not LoginAttempt.objects.filter(state="completed").exists()


def test_the_response_to_a_question_of_the_copy_is_worth_nothing_for_ever():
    owner = person("owner")
    device = owner.grants.get().device
    asked = challenges.issue(
        user=owner, device=device, purpose=Purpose.LOGIN, session="s", now=timezone.now()
    )
    response = press("owner", asked.question)
    assert restored()["questions_used_up"] == 1
    asked.refresh_from_db()
    assert asked.state == ChallengeState.ANSWERED
    with pytest.raises(Refused):
        challenges.answer(
            asked, response, users=[owner], purpose=Purpose.LOGIN, session="s", now=timezone.now()
        )
    # The same digits, should they be drawn once more, are refused by the database itself.
    twin = Challenge.objects.create(
        user=owner,
        device=device,
        purpose=Purpose.LOGIN,
        session="s",
        question=asked.question,
        issued_at=timezone.now(),
        expires_at=timezone.now() + timedelta(minutes=3),
    )
    with pytest.raises(Refused), transaction.atomic():
        challenges.answer(
            twin, response, users=[owner], purpose=Purpose.LOGIN, session="s", now=timezone.now()
        )


def test_the_pair_of_cells_that_was_open_does_not_come_again():
    user = person("requester")
    card = user.grants.get().device
    arguments = {"user": user, "device": card, "purpose": Purpose.LOGIN, "session": "s"}
    first = challenges.issue(**arguments, now=timezone.now())
    again = challenges.issue(**arguments, now=timezone.now())
    assert first.question == again.question  # as long as it is open
    restored()
    for _ in range(20):
        assert challenges.issue(**arguments, now=timezone.now()).question != first.question


def test_a_copy_of_yesterday_has_its_questions_used_up_too():
    owner = person("owner")
    device = owner.grants.get().device
    yesterday = timezone.now() - timedelta(days=1)
    AuditEvent.objects.all().delete()
    asked = challenges.issue(
        user=owner, device=device, purpose=Purpose.LOGIN, session="s", now=yesterday
    )
    audit.record(event="test.done", by=SYSTEM, subject=None, at=yesterday)
    restored()
    asked.refresh_from_db()
    assert asked.state == ChallengeState.ANSWERED


def test_sessions_end_and_browsers_are_strangers_again(log_in):
    client = log_in("owner")
    epoch = person("owner").browser_epoch
    counted = restored()
    assert counted["sessions"] >= 1
    assert client.get("/").status_code == 302
    assert not BrowserSession.objects.exists()
    assert person("owner").browser_epoch > epoch + 100  # whatever it had become since


def test_a_half_done_wizard_is_over(log_in):
    client = log_in("requester")
    client.post(SHARE, {"username": PLAYS["owner"].username, "password": password("owner")})
    assert restored()["wizards"] == 1
    assert ShareRequest.objects.get().state == "expired"


def test_a_half_done_password_reset_is_over():
    opened("stranger")
    assert restored()["resets"] == 1
    assert not PasswordReset.objects.filter(expires_at__gt=timezone.now()).exists()


def test_a_waiting_prompt_is_over():
    login.begin(
        username=PLAYS["phone_user"].username,
        password=password("phone_user"),
        by=by("phone_user"),
        now=timezone.now(),
    )
    assert restored()["prompts"] == 1
    assert not LoginPrompt.objects.filter(state="waiting").exists()


def test_codes_that_wait_are_not_sent_and_letters_say_that_they_may_come_twice(settings):
    from sls.mobile import operations as mobile

    mobile.send_code(number(), by=by("no_device"), now=timezone.now())
    ask()
    counted = restored()
    assert counted["codes_not_sent"] == 1
    assert counted["letters_perhaps_twice"] >= 1
    sms = OutboxMessage.objects.get(channel=Channel.SMS)
    assert (sms.state, sms.context, sms.recipient) == ("expired", "", "")
    assert not delivery.deliver(sms.pk, now=timezone.now())
    assert not Challenge.objects.filter(state="open", expires_at__gt=timezone.now()).exists()
    assert not Challenge.objects.exclude(expected="").filter(state="open").exists()


def test_it_is_on_record_with_what_was_ended_and_where_the_copy_ends():
    half_logged_in()
    tail = AuditEvent.objects.order_by("-number").first().number
    said = io.StringIO()
    call_command("restored", stdout=said)
    row = AuditEvent.objects.order_by("-number").first()
    assert row.event == "sls.database.restored"
    assert row.facts["after"] == tail
    assert row.facts["logins"] == 1
    assert "logins: 1" in said.getvalue()
    assert list(audit.broken_rows()) == []


def test_twice_is_as_good_as_once():
    half_logged_in()
    restored()
    again = restored()
    assert {name: n for name, n in again.items() if n} == {
        "browsers_forgotten": again["browsers_forgotten"]
    }


def test_afterwards_everybody_logs_in_as_usual(log_in):
    half_logged_in()
    restored()
    assert log_in("owner").get("/").status_code == 200
