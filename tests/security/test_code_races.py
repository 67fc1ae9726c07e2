"""Temporary Codes and cards, the same step many times at once, over four server processes."""

import re

import pytest

from tests.serving import Browser, Portal

pytestmark = pytest.mark.live
ROUNDS = 5
CROWD = 20
LIST = "/admin/sls/temporarycoderequest/"
CARD = "/settings/user/secure-login/enrol/card/"
NUMBERS = "/settings/user/mobile/"
WANTED = {
    "username": "tamsin.orrery",
    "identity_check": "call_back",
    "identity_note": "Called back.",
    "reason": "Lost",
}


def asked(portal: Portal, support: Browser) -> str:
    """The address of a new request."""
    assert support.post(LIST + "request/", WANTED).location == LIST
    ((pk,),) = portal.sql("SELECT id FROM sls_temporarycoderequest")
    text = str(pk)
    if "-" not in text:  # SQLite keeps 32 digits
        text = "-".join(re.fullmatch(r"(.{8})(.{4})(.{4})(.{4})(.{12})", text).groups())
    return f"{LIST}{text}/"


def recorded(portal: Portal, event: str) -> int:
    """How often it happened; refused tries do not count."""
    rows = portal.sql("SELECT facts FROM portal_auditevent WHERE event = ?", event)
    return len([row for row in rows if "refused" not in str(row[0])])


def test_two_officers_at_once_decide_once(portal: Portal):
    support, first, second = map(portal.log_in, ("support", "officer", "second_officer"))
    for _ in range(ROUNDS):
        portal.reset()
        where = asked(portal, support) + "decide/"
        before = recorded(portal, "sls.code.confirmed") + recorded(portal, "sls.code.declined")
        crowd = [first.raw_post(where, {"confirm": "1"}), second.raw_post(where, {"decline": "1"})]

        pages = portal.at_once(crowd * (CROWD // 2))

        portal.refute_server_errors(pages)
        after = recorded(portal, "sls.code.confirmed") + recorded(portal, "sls.code.declined")
        assert after == before + 1
        assert len([page for page in pages if page.location == LIST]) == 1


def test_a_code_is_shown_once(portal: Portal):
    support, officer = portal.log_in("support"), portal.log_in("officer")
    for _ in range(ROUNDS):
        portal.reset()
        where = asked(portal, support)
        assert officer.post(where + "decide/", {"confirm": "1"}).location == LIST

        pages = portal.at_once([support.raw_post(where + "reveal/", {})] * CROWD)

        portal.refute_server_errors(pages)
        assert len([page for page in pages if 'id="temporary-code"' in page.text]) == 1
        assert {page.code for page in pages if page.status != 200} == {"code_request_over"}
        live = "sls_devicegrant g JOIN sls_securitydevice d ON d.id = g.device_id"
        live += " WHERE d.kind = 'temporary_code' AND g.user_id = ? AND g.state = 'active'"
        assert portal.count(live, portal.id_of("stranger")) == 1


def test_a_card_is_confirmed_once(portal: Portal):
    for _ in range(ROUNDS):
        portal.reset(sessions=True)
        browser = portal.log_in("owner")
        where = browser.post(CARD).location
        shown = browser.get(where).text
        values = dict(re.findall(r'<th scope="row">(\d+)</th>\s*<td><code>(\w+)</code>', shown))
        page = browser.post(where + "check/", follow=True)
        response = "".join(values[index] for index in page.question.split())
        before = recorded(portal, "sls.card.confirmed")

        pages = portal.at_once([browser.raw_post(page.path, {"response": response})] * CROWD)

        portal.refute_server_errors(pages)
        assert recorded(portal, "sls.card.confirmed") == before + 1
        assert portal.count("sls_onlinecardrequest WHERE state = 'confirmed'") == 1
        portal.reset(sessions=True)


def test_many_requests_at_once_leave_one_card(portal: Portal):
    """They met in a deadlock once: one held the card and wanted its device, another the other way round."""
    for _ in range(ROUNDS):
        browser = portal.log_in("owner")
        pages = portal.at_once([browser.raw_post(CARD, {})] * CROWD)
        portal.refute_server_errors(pages)
        assert portal.count("sls_onlinecardrequest WHERE state = 'shown'") == 1
        replaced = "sls_securitydevice WHERE kind = 'online_card' AND state = 'active'"
        assert portal.count(replaced) == 1
        portal.reset(sessions=True)


def test_codes_asked_at_once_are_one_sms(portal: Portal):
    for _ in range(ROUNDS):
        browser = portal.log_in("no_device")
        (number,) = set(re.findall(r"/mobile/(\d+)/verify/", browser.get(NUMBERS).text))
        pages = portal.at_once([browser.raw_post(f"{NUMBERS}{number}/verify/", {})] * CROWD)
        portal.refute_server_errors(pages)
        assert {page.location for page in pages} == {NUMBERS + "code/"}
        assert portal.count("sls_numbercheck WHERE state = 'sent'") == 1
        assert portal.count("portal_outboxmessage WHERE event = 'sms_code'") == 1
        portal.reset(sessions=True)
