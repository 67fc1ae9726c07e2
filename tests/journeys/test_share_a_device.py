"""The nine steps of "How to share a security device", through the pages, nothing mocked."""

from django.test import Client

from sls.models import DeviceGrant, ShareRequest
from tests.conftest import PLAYS, LogIn, password, press, question_on

HOME = "/settings/user/secure-login/"


def test_a_requester_with_a_card_shares_the_owners_dsc_plus(log_in: LogIn):
    # 1. The owner's DSC+ is the device with the highest level of protection.
    # 2. Log in with the requesting user.
    client = log_in("requester")
    # 3. Menu, Settings, User Settings.
    page = client.get("/")
    assert 'href="/settings/user/"' in page.content.decode()
    page = client.get("/settings/user/")
    # 4. The wheel close to Secure Login System.
    assert "Configure Secure Login System" in page.content.decode()
    page = client.get(HOME)
    # 5b. The device list; Share Device.
    assert "Share Device" in page.content.decode()
    page = client.get(HOME + "share/")
    # 6. The credentials of the device owner; Continue.
    page = client.post(
        HOME + "share/",
        {"username": PLAYS["owner"].username, "password": password("owner")},
        follow=True,
    )
    html = page.content.decode()
    assert page.redirect_chain[-1][0].endswith("/respond/"), html
    # 7. The challenge code; the response; Continue.
    response = press("owner", question_on(html))
    page = client.post(page.redirect_chain[-1][0], {"response": response}, follow=True)
    html = page.content.decode()
    assert page.redirect_chain[-1][0].endswith("/review/"), html
    # 8. Review; Continue.
    assert "Security Code Card" in html
    page = client.post(page.redirect_chain[-1][0], follow=True)
    # 9. The status; OK.
    html = page.content.decode()
    assert 'data-status="enforced"' in html
    assert "Keep them in a safe place" in html
    page = client.get(HOME, follow=True)
    # The session was verified by the card, which sleeps now: the new device is asked.
    assert page.redirect_chain[-1][0] == "/login/challenge/"
    response = press("owner", question_on(page.content.decode()))
    page = client.post("/login/challenge/", {"response": response}, follow=True)
    assert page.redirect_chain[-1][0] == HOME
    html = page.content.decode()
    assert PLAYS["owner"].username in html
    assert "Kept in a safe place" in html


def test_a_user_without_a_device_comes_by_the_enrolment_menu(log_in: LogIn):
    client = log_in("no_device")
    # 5a. The SLS enrolment menu; the third item; Continue.
    page = client.get(HOME)
    html = page.content.decode()
    assert "I already have access to a Secure Login Device under a different username" in html
    page = client.post(HOME + "enrol/", {"choice": "share"}, follow=True)
    assert page.redirect_chain[-1][0] == HOME + "share/"
    page = client.post(
        HOME + "share/",
        {"username": PLAYS["requester"].username, "password": password("requester")},
        follow=True,
    )
    # 7. Index numbers, for the device is a card.
    html = page.content.decode()
    assert 'id="index-numbers"' in html
    response = press("requester", question_on(html))
    page = client.post(page.redirect_chain[-1][0], {"response": response}, follow=True)
    # The owner of the card has no stronger device, but another participant may not have one either.
    page = client.post(page.redirect_chain[-1][0], follow=True)
    assert 'data-status="enforced"' in page.content.decode()
    share = ShareRequest.objects.get(requester__username=PLAYS["no_device"].username)
    assert DeviceGrant.objects.get(share=share).confirmed


def test_the_refusal_is_shown_with_its_code_and_cure(log_in: LogIn):
    client = log_in("requester")
    page = client.post(
        HOME + "share/",
        {"username": PLAYS["stranger"].username, "password": password("stranger")},
        follow=True,
    )
    response = press("stranger", question_on(page.content.decode()))
    page = client.post(page.redirect_chain[-1][0], {"response": response}, follow=True)
    html = page.content.decode()
    assert 'data-code="different_identification"' in html
    assert 'role="alert"' in html
    assert "by design" in html
    assert "Client Services" in html


def test_nobody_else_sees_the_status(log_in: LogIn):
    client = log_in("requester")
    page = client.post(
        HOME + "share/",
        {"username": PLAYS["owner"].username, "password": password("owner")},
        follow=True,
    )
    where = page.redirect_chain[-1][0].replace("respond", "status")
    assert client.get(where).status_code == 200
    assert log_in("stranger").get(where).status_code == 404
    assert Client().get(where).status_code == 302
