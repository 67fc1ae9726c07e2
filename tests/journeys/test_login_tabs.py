"""Two tabs, double clicks, Back and Reload; and the device that is asked first by choice."""

import re

import pytest
from django.db import IntegrityError
from django.test import Client

from portal.models import AuditEvent, BrowserSession
from sls.devices import making
from sls.models import DeviceGrant, GrantState
from tests.conftest import NOW, PLAYS, LogIn, password, person, press, question_on

pytestmark = pytest.mark.usefixtures("on_stage")
OWNER = PLAYS["owner"].username


def with_password(client, plays="owner"):
    form = {"username": PLAYS[plays].username, "password": password(plays)}
    return client.post("/login/", form, follow=True)


def form_of(page, response):
    """What the page's own form sends."""
    asked = re.search(rb'name="asked" value="([^"]+)"', page.content)
    return {"response": response, "asked": asked[1].decode()}


def code_on(page):
    found = re.search(rb'data-code="([a-z_]+)"', page.content)
    return found[1].decode() if found else ""


def is_in(client):
    return client.get("/").status_code == 200


def test_the_first_of_two_tabs_is_told_kindly_and_loses_no_try():
    """B 43."""
    client = Client()
    first = with_password(client)
    answer = press("owner", question_on(first.content.decode()))
    second = with_password(client)
    page = client.post("/login/challenge/", form_of(first, answer))
    assert code_on(page) == "newer_login"
    assert question_on(page.content.decode()) == question_on(second.content.decode())
    assert not AuditEvent.objects.filter(facts__refused="invalid_response").exists()
    answer = press("owner", question_on(page.content.decode()))
    assert client.post("/login/challenge/", form_of(page, answer)).url == "/"
    assert is_in(client)


def test_a_posted_challenge_is_never_what_is_judged():
    other = with_password(Client())
    client = Client()
    page = with_password(client)
    stolen = form_of(other, press("owner", question_on(page.content.decode())))
    assert code_on(client.post("/login/challenge/", stolen)) == "newer_login"
    assert not is_in(client)
    right = press("owner", question_on(other.content.decode()))
    page = client.post("/login/challenge/", {"response": right, "asked": ""})
    assert code_on(page) == "invalid_response"


def test_a_double_click_ends_logged_in():
    """B 44: the second click left the browser with the cookie of before, and is answered last."""
    client = Client()
    page = with_password(client)
    form = form_of(page, press("owner", question_on(page.content.decode())))
    late = Client()
    late.cookies["session"] = client.cookies["session"].value
    assert client.post("/login/challenge/", form).url == "/"
    answer = late.post("/login/challenge/", form)
    assert answer.url == "/login/"
    assert "session" not in answer.cookies, "it would delete or replace the first one's cookie"
    assert is_in(client)
    assert not is_in(late)
    assert BrowserSession.objects.filter(user=person("owner")).count() == 1


def test_a_second_click_that_was_read_before_the_first_was_done_ends_logged_in(monkeypatch):
    client = Client()
    page = with_password(client)
    form = form_of(page, press("owner", question_on(page.content.decode())))
    from sls.login import pending, views

    late = Client()
    late.cookies["session"] = client.cookies["session"].value
    load = pending.load

    def load_and_be_overtaken(request):
        attempt = load(request)
        monkeypatch.setattr(views.pending, "load", load)
        assert client.post("/login/challenge/", form).url == "/"
        return attempt

    monkeypatch.setattr(views.pending, "load", load_and_be_overtaken)
    answer = late.post("/login/challenge/", form)
    assert answer.url == "/login/"
    assert client.get(answer.url).url == "/"
    assert "session" not in answer.cookies
    assert is_in(client)


def test_back_reload_and_sending_again_after_success_show_no_error():
    client = Client(enforce_csrf_checks=True)
    page = client.get("/login/")

    def token(page):
        found = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', page.content)
        return {"csrfmiddlewaretoken": found[1].decode()}

    form = {"username": OWNER, "password": password("owner")}
    page = client.post("/login/", form | token(page), follow=True)
    sent = form_of(page, press("owner", question_on(page.content.decode()))) | token(page)
    client.post("/login/challenge/", sent)
    assert is_in(client)
    for path in ("/login/", "/login/challenge/", "/login/card/", "/login/choose/"):
        assert client.get(path).url == "/"
    again = client.post("/login/challenge/", sent)  # its token was another one
    assert again.url == "/"
    assert client.post("/login/", form | token(page)).url == "/"
    assert is_in(client)
    assert client.post("/logout/").status_code == 403


def test_a_dead_cookie_is_kept_and_an_ended_sessions_cookie_is_deleted(log_in: LogIn):
    client = Client()
    client.cookies["session"] = "a" * 40
    assert "session" not in client.get("/login/").cookies
    client = log_in("owner")
    assert client.post("/logout/").cookies["session"].value == ""


# --- The device that is asked first -----------------------------------------------------------------------


@pytest.fixture
def two_devices():
    card = DeviceGrant.objects.get(device__kind="code_card")
    DeviceGrant.objects.filter(pk=card.pk).update(user=person("owner"))
    return DeviceGrant.objects.get(pk=card.pk), person("owner").grants.exclude(pk=card.pk).get()


def read_card(question):
    return press("requester", question)


def test_without_a_choice_the_user_is_asked_which_device(two_devices):
    assert with_password(Client()).redirect_chain[-1][0] == "/login/choose/"


def test_the_preferred_device_is_asked_at_once_after_it_was_proven(two_devices):
    card, _dsc = two_devices
    client = Client()
    with_password(client)
    page = client.post("/login/choose/", {"grant": card.pk, "first": "on"}, follow=True)
    assert not DeviceGrant.objects.filter(
        is_preferred=True
    ).exists()  # a password alone sets nothing
    client.post("/login/card/", form_of(page, read_card(question_on(page.content.decode()))))
    assert is_in(client)
    assert DeviceGrant.objects.get(is_preferred=True) == card
    page = with_password(Client())
    assert page.redirect_chain[-1][0] == "/login/card/"
    assert "/login/choose/" in page.content.decode()


def test_the_choice_moves_and_goes(two_devices):
    card, dsc = two_devices
    for chosen, extra, expected in (
        (card, {"first": "on"}, card),
        (dsc, {}, card),
        (dsc, {"first": "on"}, dsc),
        (card, {"every_time": "on"}, None),
    ):
        client = Client()
        with_password(client)
        page = client.post("/login/choose/", {"grant": chosen.pk} | extra, follow=True)
        read = read_card if chosen == card else lambda question: press("owner", question)
        where = page.redirect_chain[-1][0]
        client.post(where, form_of(page, read(question_on(page.content.decode()))))
        assert is_in(client)
        assert DeviceGrant.objects.filter(is_preferred=True).first() == expected


def test_a_preferred_device_that_is_not_active_falls_back_to_the_choice(two_devices):
    card, _dsc = two_devices
    more = making.new_code_card(serial="SCC-88888888", now=NOW)
    more.save(force_insert=True)
    DeviceGrant.objects.create(
        user=person("owner"), device=more, state="active", confirmed=True, granted_at=NOW
    )
    DeviceGrant.objects.filter(pk=card.pk).update(is_preferred=True)
    DeviceGrant.objects.filter(pk=card.pk).update(state=GrantState.DORMANT, confirmed=False)
    assert with_password(Client()).redirect_chain[-1][0] == "/login/choose/"


def test_one_device_of_a_user_is_preferred_by_the_database(two_devices):
    with pytest.raises(IntegrityError):
        DeviceGrant.objects.filter(user=person("owner")).update(is_preferred=True)
