"""IB Key: from Register Two-Factor to the login, as KB2277, KB2278 and KB2260 tell it."""

import re

import pytest
from django.test import Client

from portal.models import AuditEvent, OutboxMessage
from sls.models import LoginPrompt, Phone, PhoneUser
from tests.conftest import PLAYS, password, person
from tests.counting import counting
from tests.handset import PIN, code_sent_to, demo_phone, enrol, new_phone

pytestmark = pytest.mark.usefixtures("on_stage")


def log_in(plays: str, **headers) -> tuple[Client, object]:
    client = Client(**headers)
    page = client.post(
        "/login/", {"username": PLAYS[plays].username, "password": password(plays)}, follow=True
    )
    return client, page


def number_on(page) -> str:
    found = re.search(r'id="prompt-number">(\d\d)<', page.content.decode())
    return found[1] if found else ""


def test_a_phone_is_activated_in_three_requests():
    phone = new_phone()
    started = phone.start(PLAYS["no_device"].username, password("no_device"))  # 2, 3
    assert started["numbers"][0]["is_default"]  # 4
    sent = phone.get_code(started)
    assert sent["masked"].endswith(started["numbers"][0]["masked"][-3:])
    code = code_sent_to(PLAYS["no_device"].username)  # 5
    done = phone.activate(started, code, "g7#Qz")  # 6
    assert done["username"] == PLAYS["no_device"].username  # 7
    row = PhoneUser.objects.get(user=person("no_device"))
    assert (str(row.phone_id), str(row.pk)) == (done["phone"], done["user"])
    told = OutboxMessage.objects.filter(user=person("no_device")).values_list("event", "channel")
    assert set(told) == {
        ("activation_code", "sms"),
        ("activation_code_sent", "email"),
        ("phone_activated", "email"),
    }


def test_a_login_is_approved_on_the_phone():
    phone = demo_phone()
    client, page = log_in("phone_user")
    assert page.redirect_chain[-1][0] == "/login/push/"
    (prompt,) = phone.waiting()
    assert prompt["username"] == "mei.lantern"
    assert phone.decide(prompt, "approve", pin=PIN, number=number_on(page)) == "approved"
    page = client.post("/login/push/")
    assert page.url == "/"
    assert client.get("/settings/user/secure-login/").status_code == 200
    assert phone.waiting() == []


def test_a_known_browser_at_a_known_address_needs_no_number():
    phone = demo_phone()
    client, page = log_in("phone_user")
    (prompt,) = phone.waiting()
    assert prompt["asks_number"]
    phone.decide(prompt, "approve", pin=PIN, number=number_on(page))
    client.post("/login/push/")
    client.post("/logout/")
    LoginPrompt.objects.all().delete()
    page = client.post(
        "/login/",
        {"username": PLAYS["phone_user"].username, "password": password("phone_user")},
        follow=True,
    )
    assert number_on(page) == ""
    (prompt,) = phone.waiting()
    assert not prompt["asks_number"]
    phone.decide(prompt, "approve", pin=PIN)
    assert client.post("/login/push/").url == "/"


def test_the_offline_passcode_ends_the_same_login():
    phone = demo_phone()
    client, _page = log_in("phone_user")
    page = client.get("/login/challenge/")
    question = re.search(r'id="challenge-code">(\d+)<', page.content.decode())[1]
    response = phone.passcode("mei.lantern", question, PIN)
    assert client.post("/login/challenge/", {"response": response}).url == "/"
    assert phone.waiting() == []


def test_a_wrong_pin_gives_a_wrong_passcode_without_a_sign_of_it():
    phone = demo_phone()
    assert len(phone.passcode("mei.lantern", "123456", "0000")) == 8
    assert phone.passcode("mei.lantern", "123456", "0000") != phone.passcode(
        "mei.lantern", "123456", PIN
    )


def test_a_denied_login_takes_the_password_and_opens_a_case():
    phone = demo_phone()
    client, _page = log_in("phone_user")
    (prompt,) = phone.waiting()
    assert phone.decide(prompt, "deny") == "denied"
    page = client.post("/login/push/")
    assert b"login_over" in page.content
    user = person("phone_user")
    assert not user.has_usable_password()
    report = user.prompt_reports.get()
    assert report.handled_at is None
    assert OutboxMessage.objects.filter(user=user, event="login_denied").count() == 1
    assert AuditEvent.objects.filter(event="sls.prompt.denied").count() == 1


def test_another_username_joins_the_phone_under_the_same_pin():
    phone = demo_phone()
    enrol(PLAYS["no_device"].username, password("no_device"), PIN, phone)
    known = phone.call("GET", "phone", signed_as=phone.phone)
    assert {user["username"] for user in known["users"]} == {
        "mei.lantern",
        PLAYS["no_device"].username,
    }
    assert Phone.objects.count() == 1


def test_an_enrolment_costs_at_most_40_statements():
    phone = new_phone()
    who = PLAYS["no_device"]
    with counting() as count:
        started = phone.start(who.username, who.password)
        phone.get_code(started)
    with counting() as rest:
        phone.activate(started, code_sent_to(who.username), "g7#Qz")
    total = count.sql + rest.sql
    assert total <= 41, (
        f"{total}\n{count}\n---\n{rest}"
    )  # one is the test's own look into the outbox


def test_a_login_approved_on_the_phone_costs_at_most_42_statements():
    """Password, waiting page, the phone's list and decision, and the first page, in seven requests."""
    phone, client, who = demo_phone(), Client(), PLAYS["phone_user"]
    with counting() as count:
        client.get("/login/")
        client.post("/login/", {"username": who.username, "password": who.password})
        page = client.get("/login/push/")
        (prompt,) = phone.waiting()
        phone.decide(prompt, "approve", pin=PIN, number=number_on(page))
        client.post("/login/push/")
        client.get("/")
    assert client.session["otp_device_id"]
    assert count.sql <= 42, f"{count.sql}\n{count}"
