"""Changing the password, with a fresh proof of the device."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal import throttle
from portal.models import AuditEvent, OutboxMessage
from tests.conftest import PLAYS, LogIn, password, person, press, question_on

PAGE = "/settings/user/password/"
NEW = "a fine new harbour 7"


def change(client: Client, *, old=None, new=NEW, again=None):
    typed = {"old": old or password("owner"), "new": new, "again": again or new}
    return client.post(PAGE, typed)


def test_a_changed_password_ends_other_sessions_and_keeps_this_one(log_in: LogIn):
    here, elsewhere = log_in("owner"), log_in("owner")
    assert change(here).status_code == 302
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302
    assert person("owner").check_password(NEW)
    assert OutboxMessage.objects.get(event="password_changed").user == person("owner")
    assert AuditEvent.objects.filter(event="sls.password.changed").count() == 1


def test_the_page_asks_for_the_device_again_when_the_proof_is_old(log_in: LogIn, settings):
    client = log_in("owner")
    session = client.session
    long_ago = timezone.now() - settings.PROOF_STAYS_FRESH - timedelta(seconds=1)
    session["proven_at"] = long_ago.isoformat()
    session.save()

    assert change(client).url.startswith("/login/confirm/")
    assert person("owner").check_password(password("owner"))

    page = client.get(PAGE, follow=True)
    assert page.redirect_chain[-1][0] == "/login/challenge/"
    response = press("owner", question_on(page.content.decode()))
    page = client.post("/login/challenge/", {"response": response})
    assert page.url == PAGE
    assert client.get(PAGE).status_code == 200


def test_a_wrong_present_password_changes_nothing_and_counts(log_in: LogIn):
    client = log_in("owner")
    for _ in range(throttle.PASSWORD_CHANGES_OF_USER.size):
        assert 'data-code="wrong_password"' in change(client, old="wrong").content.decode()
    assert 'data-code="too_many_attempts"' in change(client).content.decode()
    assert person("owner").check_password(password("owner"))


@pytest.mark.parametrize(
    "new", ["short1", "12345678901", "password", "onlyletters", PLAYS["owner"].username + "1"]
)
def test_a_weak_new_password_is_refused(log_in: LogIn, new):
    client = log_in("owner")
    assert change(client, new=new).status_code == 200
    assert person("owner").check_password(password("owner"))


def test_two_different_new_passwords_are_refused(log_in: LogIn):
    page = change(log_in("owner"), again="something else 8")
    assert 'data-code="differ"' in page.content.decode()


def test_a_user_without_a_device_changes_his_password_too(log_in: LogIn):
    client = log_in("no_device")
    assert change(client, old=password("no_device")).status_code == 302
    assert person("no_device").check_password(NEW)
