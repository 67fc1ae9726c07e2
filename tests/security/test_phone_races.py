"""Phones over four server processes, on SQLite and on PostgreSQL (abuse-cases.md C 52, C 65, D 68)."""

import json
import re
import time
from collections import Counter
from typing import Any

import pytest

from sls.demo import cast
from sls.demo.handset import API, Handset
from tests.serving import Browser, Page, Portal, user

pytestmark = pytest.mark.live
ROUNDS, CROWD = 5, 20


def codes(pages: list[Page]) -> Counter[str]:
    return Counter(
        json.loads(p.text).get("error", {}).get("code", "") if p.status >= 400 else ""
        for p in pages
    )


def the_phone(portal: Portal) -> Handset:
    return cast.handset(f"http://127.0.0.1:{portal.port}")


def raw(phone: Handset, path: str, data: dict[str, Any], **how: Any) -> bytes:
    """The bytes of a signed POST, for `at_once`; each with a nonce of its own."""
    body = json.dumps(data).encode()
    headers = phone.headers("POST", API + path, body, **how)
    host = phone.base_url.rpartition("/")[2]
    lines = [f"POST {API}{path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def waiting_login(portal: Portal) -> tuple[Browser, dict[str, Any], str]:
    """A browser that waits, the prompt, and the number it shows."""
    browser, phone = portal.browser(), the_phone(portal)
    page = portal.password(browser, "phone_user")
    assert page.path == "/login/push/", page.path
    (prompt,) = phone.waiting()
    found = re.search(r'id="prompt-number">(\d\d)<', page.text)
    return browser, prompt, found[1] if found else ""


def decision(prompt: dict[str, Any], decision: str, number: str = "") -> dict[str, Any]:
    shown = {"attempt": prompt["attempt"], "username": prompt["username"]}
    return shown | {"decision": decision, "number": number}


def test_twenty_approvals_at_once_are_one_and_open_one_session(portal: Portal):
    for _ in range(ROUNDS):
        portal.reset(sessions=True)
        browser, prompt, number = waiting_login(portal)
        phone, path = the_phone(portal), f"prompts/{prompt['id']}/decision"
        data = decision(prompt, "approve", number)
        crowd = [raw(phone, path, data, signed_as=phone.phone, pin=cast.PHONE_PIN)]
        crowd += [
            raw(phone, path, data, signed_as=phone.phone, pin=cast.PHONE_PIN)
            for _ in range(CROWD - 1)
        ]
        pages = portal.at_once(crowd)
        portal.refute_server_errors(pages)
        happened = codes(pages)
        assert happened[""] == 1, happened
        go_on = browser.raw_post("/login/push/", {})
        pages = portal.at_once([go_on] * CROWD)
        portal.refute_server_errors(pages)
        assert portal.count("sls_loginattempt WHERE state = 'completed'") == 1
        sessions = portal.count("portal_browsersession WHERE user_id IS NOT NULL")
        assert sessions == 1


def test_one_signed_request_sent_twenty_times_counts_once(portal: Portal):
    for _ in range(ROUNDS):
        portal.reset(sessions=True)
        _browser, prompt, _number = waiting_login(portal)
        phone, path = the_phone(portal), f"prompts/{prompt['id']}/decision"
        same = raw(phone, path, decision(prompt, "cancel"), signed_as=phone.phone)
        pages = portal.at_once([same] * CROWD)
        portal.refute_server_errors(pages)
        assert codes(pages) == {"": 1, "replayed": CROWD - 1}


def test_approval_and_offline_passcode_compete_and_one_login_is_completed(portal: Portal):
    for _ in range(ROUNDS):
        portal.reset(sessions=True)
        browser, prompt, number = waiting_login(portal)
        phone = the_phone(portal)
        question = browser.get("/login/challenge/").question
        passcode = phone.passcode("mei.lantern", question, cast.PHONE_PIN)
        phone.decide(prompt, "approve", pin=cast.PHONE_PIN, number=number)
        by_push = browser.raw_post("/login/push/", {})
        by_code = browser.raw_post("/login/challenge/", {"response": passcode})
        pages = portal.at_once([by_push, by_code] * 8)
        portal.refute_server_errors(pages)
        assert portal.count("sls_loginattempt WHERE state = 'completed'") == 1
        assert portal.count("portal_browsersession WHERE user_id IS NOT NULL") == 1


def test_approve_and_deny_at_once_are_one_decision(portal: Portal):
    for _ in range(ROUNDS):
        portal.reset(sessions=True)
        _browser, prompt, number = waiting_login(portal)
        phone, path = the_phone(portal), f"prompts/{prompt['id']}/decision"
        yes = decision(prompt, "approve", number)
        no = decision(prompt, "cancel")
        crowd = []
        for _pair in range(8):
            crowd.append(raw(phone, path, yes, signed_as=phone.phone, pin=cast.PHONE_PIN))
            crowd.append(raw(phone, path, no, signed_as=phone.phone))
        pages = portal.at_once(crowd)
        portal.refute_server_errors(pages)
        assert codes(pages)[""] == 1


def test_of_thirty_wrong_pins_at_once_five_are_judged_and_the_phone_freezes(portal: Portal):
    _browser, prompt, number = waiting_login(portal)
    phone, path = the_phone(portal), f"prompts/{prompt['id']}/decision"
    data = decision(prompt, "approve", number)
    crowd = [raw(phone, path, data, signed_as=phone.phone, pin="0000") for _ in range(30)]
    pages = portal.at_once(crowd)
    portal.refute_server_errors(pages)
    happened = codes(pages)
    assert happened["wrong_pin"] <= 5, happened
    assert set(happened) <= {"wrong_pin", "phone_frozen"}
    assert portal.count("sls_phone WHERE state = 'frozen'") == 1
    portal.reset()


def test_twenty_right_tokens_at_once_make_one_active_phone(portal: Portal):
    who = user("no_device")
    for _ in range(3):
        portal.reset(sessions=True)
        phone = Handset.new(f"http://127.0.0.1:{portal.port}")
        started = phone.start(who["username"], who["password"])
        phone.get_code(started)
        portal.wait_for_messages()
        time.sleep(0.1)
        texts = [m for m in portal.messages() if m["event"] == "activation_code"]
        newest = max(texts, key=lambda m: m["sent_at"])
        code = re.search(r"\b\d{6}\b", newest["text"])[0]
        data = {
            "activation": started["activation"],
            "code": code,
            "public_key": phone.public_key,
            "ocra_key": "A" * 43,
            "pin": "g7#Qz",
            "pin_key": "A" * 43,
        }
        crowd = [raw(phone, "activation/activate", data, signed_as="new") for _ in range(CROWD)]
        pages = portal.at_once(crowd)
        portal.refute_server_errors(pages)
        assert [p.status for p in pages].count(201) == 1, codes(pages)
        assert portal.count("sls_phoneuser WHERE is_active AND number <> ''") == 2  # and the cast's
    portal.reset()


def test_starts_at_once_leave_one_activation(portal: Portal):
    """Of three, the third found the second's row where it had just ended the first's: no answer but 500."""
    who = user("no_device")
    data = {"username": who["username"], "password": who["password"], "platform": "other"}
    phone = Handset.new(f"http://127.0.0.1:{portal.port}")
    for _ in range(ROUNDS):
        portal.reset(sessions=True)
        crowd = [raw(phone, "activation/start", data) for _ in range(8)]
        pages = portal.at_once(crowd)
        portal.refute_server_errors(pages)
        assert codes(pages) == {"": 8}
        assert portal.count("sls_phoneactivation WHERE state <> 'ended'") == 1
    portal.reset()


def test_the_phone_on_the_command_line_approves_a_login(portal: Portal):
    """The second implementation, over a real socket: `manage.py phone`."""
    state = portal.var / "phone.json"
    options = ["phone", "--at", f"http://127.0.0.1:{portal.port}", "--state", str(state)]
    pin = ["--pin", cast.PHONE_PIN]
    assert portal.manage(*options, "demo").returncode == 0
    assert "mei.lantern" in portal.manage(*options, "status").stdout
    browser = portal.browser()
    page = portal.password(browser, "phone_user")
    found = re.search(r'id="prompt-number">(\d\d)<', page.text)
    assert "mei.lantern" in portal.manage(*options, "list").stdout
    number = ["--number", found[1]] if found else []
    done = portal.manage(*options, *pin, "approve", *number)
    assert done.stdout.strip() == "approved", done.stderr
    assert browser.post("/login/push/").location == "/"
    shown = portal.manage(*options, *pin, "passcode", "mei.lantern", "123456")
    assert re.fullmatch(r"\d{8}", shown.stdout.strip())
    assert "Nothing waits" in portal.manage(*options, *pin, "approve").stderr
