"""
A login waits for its phone, and the whole portal is stopped or killed and started again (abuse-cases.md 196): the
browser goes on where it was, the phone's yes counts once, and nothing counts after its life.
"""

import json
import re
import signal
import threading
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any

import pytest

from sls.demo import cast
from sls.demo.handset import Handset, Refused
from tests.security.conftest import start
from tests.serving import Browser, Page, Portal, at_once, user

from .test_phone_races import codes, decision, raw, the_phone, waiting_login

pytestmark = pytest.mark.live
PIN = cast.PHONE_PIN


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest) -> Iterator[Portal]:
    portal = start(request.param, processes=2)
    yield portal
    portal.stop()


@pytest.fixture
def portal(house: Portal) -> Iterator[Portal]:
    house.reset(sessions=True)
    yield house
    house.wait_for_messages()
    assert house.broken_invariants() == []


def approval(phone: Handset, prompt: dict[str, Any], number: str) -> bytes:
    """A yes as the phone sends it."""
    path = f"prompts/{prompt['id']}/decision"
    data = decision(prompt, "approve", number)
    return raw(phone, path, data, signed_as=phone.phone, pin=PIN)


def stream_of(page: Page) -> str:
    return re.search(r'data-live="([^"]+)"', page.text)[1]


def state_on(page: Page) -> str:
    return re.search(r'id="login-push" data-state="(\w+)"', page.text)[1]


def copy_of(browser: Browser) -> Browser:
    return Browser(browser.port, dict(browser.cookies))


def sessions(portal: Portal) -> int:
    return portal.count("portal_browsersession WHERE user_id IS NOT NULL")


def approvals(portal: Portal) -> int:
    """How many are on record as given, refused ones left out."""
    rows = portal.sql("SELECT facts FROM portal_auditevent WHERE event = 'sls.prompt.approved'")
    facts = [row if isinstance(row, dict) else json.loads(row) for (row,) in rows]
    logins = {str(pk).replace("-", "") for (pk,) in portal.sql("SELECT id FROM sls_loginattempt")}
    ours = [f for f in facts if f["login"].replace("-", "") in logins]
    return sum("refused" not in f for f in ours)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_prompt_outlives_the_portal_and_is_answered_once(portal: Portal, how: signal.Signals):
    browser, prompt, number = waiting_login(portal)
    phone = the_phone(portal)
    stream = stream_of(browser.get("/login/push/"))
    signed_before = approval(phone, prompt, number)
    portal.end(how)
    with pytest.raises(OSError, match="refused"):
        browser.get("/login/push/")
    portal.start_again()

    page = browser.get("/login/push/")
    assert state_on(page) == "waiting"
    assert f">{number}<" in page.text or not number  # the one the phone is asked for
    assert browser.get(f"{stream}?now").status == 204  # the page that was open waits on
    assert browser.post("/login/push/").status == 200  # and may not go on by itself
    assert [waiting["id"] for waiting in phone.waiting()] == [prompt["id"]]
    yes = [signed_before, signed_before, *(approval(phone, prompt, number) for _ in range(4))]
    pages = at_once(portal.port, yes)
    assert codes(pages)[""] == 1, codes(pages)
    assert browser.get(f"{stream}?now").status == 200
    others = [copy_of(browser) for _ in range(4)]
    pages = at_once(portal.port, [other.raw_post("/login/push/", {}) for other in others])
    assert max(p.status for p in pages) < 500
    assert sessions(portal) == approvals(portal) == 1
    (entered,) = [p for p in pages if p.location == "/"]
    browser.take(entered)
    assert browser.get("/settings/").status == 200


def test_a_portal_killed_while_the_phone_says_yes_has_heard_all_of_it_or_nothing(portal: Portal):
    browser, prompt, number = waiting_login(portal)
    phone = the_phone(portal)
    crowd = [approval(phone, prompt, number) for _ in range(12)]
    killer = threading.Timer(0.11, portal.end, [signal.SIGKILL])
    killer.start()
    try:
        at_once(portal.port, crowd)
    except (OSError, HTTPException):
        pass  # what a killed server answers
    killer.join()
    portal.start_again()

    ((state,),) = portal.sql("SELECT state FROM sls_loginprompt")
    assert state_on(browser.get("/login/push/")) == state
    assert approvals(portal) == (state == "approved")
    if state == "waiting":
        assert phone.decide(phone.waiting()[0], "approve", pin=PIN, number=number) == "approved"
    else:
        assert phone.waiting() == []
    with pytest.raises(Refused) as refused:
        phone.decide(prompt, "approve", pin=PIN, number=number)
    assert refused.value.code == "prompt_over"
    assert browser.post("/login/push/").location == "/"
    assert sessions(portal) == approvals(portal) == 1


def test_what_was_approved_before_the_end_lets_one_browser_in_after_it(portal: Portal):
    browser, prompt, number = waiting_login(portal)
    the_phone(portal).decide(prompt, "approve", pin=PIN, number=number)
    stranger = portal.browser()
    portal.password(stranger, "stranger")
    portal.end(signal.SIGKILL)
    portal.start_again()

    assert stranger.post("/login/push/").location != "/"  # another browser's login is not approved
    assert state_on(browser.get("/login/push/")) == "approved"
    again = copy_of(browser)
    assert browser.post("/login/push/").location == "/"
    assert again.post("/login/push/", follow=True).path == "/login/"
    assert sessions(portal) == approvals(portal) == 1


def test_a_prompt_whose_life_ends_meanwhile_is_approved_by_nothing(portal: Portal):
    browser, prompt, number = waiting_login(portal)
    phone = the_phone(portal)
    question = browser.get("/login/challenge/").question
    signed_before = approval(phone, prompt, number)
    portal.end(signal.SIGTERM)
    portal.sql("UPDATE sls_loginprompt SET expires_at = created_at")  # as if it had taken minutes
    portal.start_again()

    assert phone.waiting() == []
    pages = at_once(portal.port, [signed_before, approval(phone, prompt, number)])
    assert codes(pages) == {"prompt_over": 2}
    assert state_on(browser.get("/login/push/")) == "expired"
    assert browser.post("/login/push/").status == 200
    assert approvals(portal) == sessions(portal) == 0
    # The login itself still waits, for what the phone displays.
    passcode = phone.passcode(user("phone_user")["username"], question, PIN)
    assert browser.post("/login/challenge/", {"response": passcode}).location == "/"
