""" "This was not me": what a user is told of logins, and what the link in the message does."""

import json
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal import throttle, vault
from portal.models import AuditEvent, BrowserSession, OutboxMessage
from portal.outbox.rendering import render
from sls import tasks
from sls.login import operations as login
from sls.models import AttemptState, LoginAttempt
from tests.conftest import PLAYS, LogIn, password, person, press, question_on

pytestmark = pytest.mark.usefixtures("on_stage")
OWNER = PLAYS["owner"].username
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def told(event, plays="owner"):
    return OutboxMessage.objects.filter(event=event, user=person(plays))


def link_in(row):
    words = json.loads(vault.sealed_field(row, "context").open_from(row))
    return f"/settings/user/not-me/{words['not_me_token']}/"


def with_password(client=None, typed=None, **headers):
    client = client or Client(headers=headers)
    form = {"username": OWNER, "password": typed or password("owner")}
    return client, client.post("/login/", form, follow=True)


def answer(client, page):
    client.post(
        "/login/challenge/", {"response": press("owner", question_on(page.content.decode()))}
    )
    return client.get("/").status_code == 200


def code_on(page):
    found = re.search(rb'data-code="([a-z_]+)"', page.content)
    return found[1].decode() if found else ""


# --- A new browser --------------------------------------------------------------------------------------


def test_the_first_login_in_a_browser_is_told_and_the_next_one_there_is_not(log_in: LogIn):
    client = log_in("owner")
    assert told("new_browser").count() == 1
    client.post("/logout/")
    assert answer(*with_password(client))
    assert told("new_browser").count() == 1
    log_in("owner")
    assert told("new_browser").count() == 2


def test_the_message_says_when_where_and_with_what_in_the_users_language():
    assert answer(*with_password(user_agent=FIREFOX))
    letter = render(told("new_browser").get())
    for words in ("127.0.0.1", "Firefox, Linux", "Digital Security Card+", "(UTC)", OWNER):
        assert words in letter.text
    assert "http://127.0.0.1:8000/settings/user/not-me/" in letter.text
    user = person("owner")
    user.language = "zh-hans"
    user.save()
    assert answer(*with_password(user_agent=FIREFOX))
    letter = render(told("new_browser").get(language="zh-hans"))
    assert "Dear" not in letter.text
    assert "Browser" not in letter.text


def test_a_user_without_a_device_is_told_too_and_his_browser_is_known_then(log_in: LogIn):
    client = log_in("no_device")
    client.post("/logout/")
    form = {"username": PLAYS["no_device"].username, "password": password("no_device")}
    client.post("/login/", form)
    assert told("new_browser", "no_device").count() == 1


def test_proving_the_device_once_more_is_no_login_in_a_new_browser(log_in: LogIn):
    client = log_in("owner")
    del client.cookies["known"]
    page = client.get("/login/confirm/", follow=True)
    assert answer(client, page)
    assert told("new_browser").count() == 1


# --- This was not me ------------------------------------------------------------------------------------


def test_the_link_ends_all_sessions_closes_the_lane_and_asks_for_a_new_password(log_in: LogIn):
    thief, mine = log_in("owner"), log_in("owner")
    link = link_in(told("new_browser").first())
    page = Client().get(link)
    assert page.status_code == 200
    assert OWNER in page.content.decode()
    assert mine.get("/").status_code == 200  # opening it changes nothing

    page = Client().post(link)

    assert "/settings/user/password/forgot/" in page.content.decode()
    assert not BrowserSession.objects.filter(user=person("owner")).exists()
    for client in (thief, mine):
        assert client.get("/").status_code == 302
    # No login with the old password, neither here nor where the browser was known.
    _client, page = with_password()
    assert code_on(page) == "invalid_credentials"
    _client, page = with_password(thief)
    assert code_on(page) == "invalid_credentials"
    for _ in range(12):
        with_password(thief, "guess")
    known = throttle.PASSWORD_IN_KNOWN_BROWSER.name
    from portal.models import Allowance

    assert not Allowance.objects.filter(limit=known).exists()
    assert told("login_disowned").count() == 1
    row = AuditEvent.objects.get(event="sls.login.disowned")
    assert (row.subject, row.actor) == (OWNER, "")


def test_after_a_new_password_a_browser_known_before_is_a_new_one(log_in: LogIn):
    client = log_in("owner")
    Client().post(link_in(told("new_browser").get()))
    user = person("owner")
    user.set_password("a fine new harbour 7")
    user.save()
    assert answer(*with_password(client, "a fine new harbour 7"))
    assert told("new_browser").count() == 2
    client.post("/logout/")
    assert answer(*with_password(client, "a fine new harbour 7"))
    assert told("new_browser").count() == 2


def test_a_login_half_done_ends_too(log_in: LogIn):
    log_in("owner")
    client, page = with_password()
    Client().post(link_in(told("new_browser").get()))
    assert not answer(client, page)


def test_the_link_works_once(log_in: LogIn):
    log_in("owner")
    link = link_in(told("new_browser").get())
    assert Client().post(link).status_code == 200
    for page in (Client().get(link), Client().post(link)):
        assert page.status_code == 409
        assert code_on(page) == "link_over"
    assert AuditEvent.objects.filter(event="sls.login.disowned").count() == 1


def test_the_link_expires(log_in: LogIn, settings):
    settings.NOT_ME_LIFE = timedelta(seconds=-1)
    log_in("owner")
    assert code_on(Client().post(link_in(told("new_browser").get()))) == "link_over"
    assert person("owner").check_password(password("owner"))


@pytest.mark.parametrize("forged", ["x", "a" * 2000, "WzEsMiwieCJd:1vNAAA:abc"])
def test_a_forged_link_does_nothing(forged):
    page = Client(raise_request_exception=False).post(f"/settings/user/not-me/{forged}/")
    assert page.status_code == 409


# --- A right password, and no device --------------------------------------------------------------------


def expire():
    LoginAttempt.objects.filter(state=AttemptState.PENDING).update(expires_at=timezone.now())
    tasks.close_expired()


def test_a_right_password_that_nobody_finished_is_told_once():
    with_password(user_agent=FIREFOX)
    tasks.close_expired()
    assert not told("unfinished_login").exists()
    expire()
    tasks.close_expired()
    letter = render(told("unfinished_login").get())
    assert "Firefox, Linux" in letter.text
    assert link_in(told("unfinished_login").get()) in letter.text
    row = AuditEvent.objects.get(event="sls.login.unfinished")
    assert (row.subject, row.facts["told"]) == (OWNER, True)


def test_wrong_responses_are_told_alike():
    client, _page = with_password()
    client.post("/login/challenge/", {"response": "00000000"})
    expire()
    assert told("unfinished_login").count() == 1


def test_only_some_are_told_in_a_day_and_all_are_on_record():
    for _ in range(6):
        with_password()
    expire()
    assert told("unfinished_login").count() == throttle.UNFINISHED_NOTICES_OF_USER.size == 3
    assert AuditEvent.objects.filter(event="sls.login.unfinished").count() == 6


def test_who_began_anew_and_got_in_is_not_told():
    with_password()
    assert answer(*with_password())
    expire()
    assert not told("unfinished_login").exists()


def test_somebody_elses_browser_is_told_although_the_client_got_in():
    with_password(user_agent=FIREFOX)
    assert answer(*with_password(user_agent="another"))
    expire()
    assert told("unfinished_login").count() == 1


def test_a_confirmation_that_was_left_is_not_told(log_in: LogIn):
    client = log_in("owner")
    client.get("/login/confirm/")
    expire()
    assert not told("unfinished_login").exists()
    assert not LoginAttempt.objects.filter(state=AttemptState.PENDING).exists()


def test_old_rows_are_closed_without_a_word():
    with_password()
    long_ago = timezone.now() - timedelta(days=2)
    LoginAttempt.objects.update(started_at=long_ago)
    expire()
    assert not told("unfinished_login").exists()


def test_two_processes_that_find_the_same_row_tell_it_once(monkeypatch):
    with_password()
    LoginAttempt.objects.update(expires_at=timezone.now())
    found = login.queries.unfinished(now=timezone.now())
    monkeypatch.setattr(login.queries, "unfinished", lambda now: found)
    for _ in range(2):
        login.close_expired(now=timezone.now())
    assert told("unfinished_login").count() == 1


def test_the_sentence_on_the_unfinished_login_stands_in_the_history(log_in: LogIn):
    with_password(user_agent=FIREFOX)
    expire()
    html = log_in("owner").get("/settings/user/history/").content.decode()
    assert "the second factor did not follow" in html
