"""A session ends by itself, says why, and leads back to where its user was."""

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import BrowserSession
from tests.conftest import PLAYS, LogIn, password, person, press, question_on

PAGE = "/settings/user/secure-login/"
MINUTE = timedelta(minutes=1)


def age(client: Client, mark: str, by: timedelta) -> None:
    session = client.session
    session[mark] = (timezone.now() - by).isoformat()
    session.save()


def log_in_again(client: Client, where: str):
    page = client.get(where)
    fields = {"username": PLAYS["owner"].username, "password": password("owner")}
    page = client.post("/login/", fields | {"next": page.context["next"]}, follow=True)
    answer = press("owner", question_on(page.content.decode()))
    return client.post("/login/challenge/", {"response": answer})


@pytest.mark.parametrize(
    ("mark", "limit", "words"),
    [
        ("seen_at", "SESSION_IDLE", "Your session ended after 15 minutes without activity."),
        ("started_at", "SESSION_LIFE", "Your session ended: 8 hours after the login"),
    ],
)
def test_it_says_why_and_leads_back(log_in: LogIn, settings, mark, limit, words):
    client = log_in("owner")
    key = client.session.session_key
    age(client, mark, getattr(settings, limit) + MINUTE)
    page = client.get(PAGE)
    assert page.url == f"/login/?next={PAGE}"
    assert page.cookies["session"].value == ""
    assert not client.session.exists(key)
    assert words in client.get(page.url).content.decode()
    assert words not in client.get(page.url).content.decode()  # said once
    assert log_in_again(client, page.url).url == PAGE


def test_it_says_so_in_chinese(log_in: LogIn, settings):
    client = log_in("owner")
    client.cookies["django_language"] = "zh-hans"
    age(client, "seen_at", settings.SESSION_IDLE + MINUTE)
    page = client.get(PAGE, follow=True)
    assert "Your session" not in page.content.decode()
    assert "15" in page.content.decode()


def test_a_form_sent_too_late_leads_back_to_its_page_and_does_nothing(log_in: LogIn, settings):
    here, other = log_in("owner"), log_in("owner")
    age(here, "seen_at", settings.SESSION_IDLE + MINUTE)
    sessions = "/settings/user/sessions/"
    came = {"referer": f"http://testserver{sessions}?x=1"}
    page = here.post(sessions + "end-others/", headers=came)
    assert page.url == "/login/?next=/settings/user/sessions/%3Fx%3D1"
    assert other.get("/").status_code == 200
    assert log_in_again(here, page.url).url == sessions + "?x=1"


@pytest.mark.parametrize(
    "came_from", ["https://evil.example/settings/", "", "//evil.example/x", "x"]
)
def test_another_sites_page_is_no_page_to_come_back_to(log_in: LogIn, settings, came_from):
    client = log_in("owner")
    age(client, "seen_at", settings.SESSION_IDLE + MINUTE)
    page = client.post("/settings/user/password/", headers={"referer": came_from})
    assert page.url == "/login/?next=/"


def test_logging_in_and_out_with_an_old_session_go_on(log_in: LogIn, settings):
    client = log_in("owner")
    age(client, "seen_at", settings.SESSION_IDLE + MINUTE)
    fields = {"username": PLAYS["owner"].username, "password": password("owner")}
    assert client.post("/login/", fields).url == "/login/challenge/"
    client = log_in("owner")
    age(client, "seen_at", settings.SESSION_IDLE + MINUTE)
    assert client.post("/logout/").url == "/login/"


def test_proving_the_device_again_makes_a_session_no_younger(log_in: LogIn, settings):
    client = log_in("owner")
    age(client, "started_at", settings.SESSION_LIFE - MINUTE)
    before = client.session["started_at"]
    page = client.get("/login/confirm/", follow=True)
    answer = press("owner", question_on(page.content.decode()))
    client.post("/login/challenge/", {"response": answer})
    assert client.get("/").status_code == 200
    assert client.session["started_at"] == before
    row = BrowserSession.objects.get(user=person("owner"))
    assert row.started_at == datetime.fromisoformat(before)


def test_a_new_login_starts_a_new_life(log_in: LogIn, settings):
    client = log_in("owner")
    age(client, "started_at", settings.SESSION_LIFE - MINUTE)
    before = client.session["started_at"]
    fields = {"username": PLAYS["owner"].username, "password": password("owner")}
    page = client.post("/login/", fields, follow=True)
    answer = press("owner", question_on(page.content.decode()))
    client.post("/login/challenge/", {"response": answer})
    assert client.session["started_at"] > before


def test_the_admins_session_ends_too(log_in: LogIn, settings):
    client = log_in("administrator")
    assert client.get("/admin/").status_code == 200
    age(client, "started_at", settings.SESSION_LIFE + MINUTE)
    assert client.get("/admin/").status_code == 302
    assert client.get("/").status_code == 302


def test_sessions_that_are_over_are_not_listed(log_in: LogIn, settings):
    here, old, idle = (log_in("owner") for _ in range(3))
    age(old, "started_at", settings.SESSION_LIFE + MINUTE)
    age(idle, "seen_at", settings.SESSION_IDLE + MINUTE)
    html = here.get("/settings/user/sessions/").content.decode()
    assert html.count("<tr ") == 2  # the head and this one


@pytest.mark.parametrize("path", ["/logout/", "/admin/logout/"])
def test_logging_out_clears_what_the_browser_kept(log_in: LogIn, path):
    client = log_in("administrator")
    key = client.session.session_key
    page = client.post(path)
    assert page.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert page.cookies["session"].value == ""
    assert not client.session.exists(key)


@pytest.mark.parametrize("path", ["/logout/", "/admin/logout/"])
def test_a_link_logs_nobody_out(log_in: LogIn, path):
    client = log_in("administrator")
    assert client.get(path).status_code == 405
    assert client.get("/").status_code == 200
