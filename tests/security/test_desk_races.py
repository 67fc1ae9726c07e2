"""The support desk's acts many times at once, over four server processes."""

import pytest

from tests.serving import Browser, Page, Portal, device, press, wrong

pytestmark = pytest.mark.live
ROUNDS = 5
CROWD = 20
STATES = "SELECT state FROM sls_callercheck"


def recorded(portal: Portal, event: str) -> int:
    """How often it happened; refused tries do not count."""
    rows = portal.sql("SELECT facts FROM portal_auditevent WHERE event = ?", event)
    return len([row for row in rows if "refused" not in str(row[0])])


def device_id(portal: Portal, plays: str) -> str:
    serial = device(plays)["serial"]
    ((pk,),) = portal.sql("SELECT id FROM sls_securitydevice WHERE serial = ?", serial)
    text = str(pk).replace("-", "")
    return "-".join([text[:8], text[8:12], text[12:16], text[16:20], text[20:]])


def asked(portal: Portal, support: Browser, plays: str = "owner") -> Page:
    """A check of this client's caller, and its page."""
    form = {"ticket": "T-1", "reason": "race", "device": device_id(portal, plays)}
    started = support.post(f"/admin/sls/callercheck/ask/{portal.id_of(plays)}/", form)
    return support.get(started.location)


def test_one_response_to_a_caller_check_is_judged_once(portal: Portal):
    support, other = portal.log_in("support"), portal.log_in("administrator")
    for _ in range(ROUNDS):
        portal.reset()
        page = asked(portal, support)
        right = {"response": press("owner", page.question)}
        before = recorded(portal, "sls.caller.passed")
        crowd = [support.raw_post(page.path, right), other.raw_post(page.path, right)]

        pages = portal.at_once(crowd * (CROWD // 2))

        portal.refute_server_errors(pages)
        assert recorded(portal, "sls.caller.passed") == before + 1
        assert portal.sql(STATES) == [("passed",)]
        assert portal.count("sls_challenge WHERE state = 'answered'") == 1


def test_right_and_wrong_at_once_have_one_result(portal: Portal):
    support = portal.log_in("support")
    for _ in range(ROUNDS):
        portal.reset()
        page = asked(portal, support)
        said = press("owner", page.question)
        before = recorded(portal, "sls.caller.passed") + recorded(portal, "sls.caller.failed")
        crowd = [
            support.raw_post(page.path, {"response": said}),
            support.raw_post(page.path, {"response": wrong(said)}),
        ]

        pages = portal.at_once(crowd * 2)

        portal.refute_server_errors(pages)
        ((state,),) = portal.sql(STATES)
        answered = portal.count("sls_challenge WHERE state = 'answered'")
        assert (state, answered) in {("passed", 1), ("failed", 0)}
        after = recorded(portal, "sls.caller.passed") + recorded(portal, "sls.caller.failed")
        assert after == before + 1


def test_a_device_is_suspended_once_while_its_owner_logs_in(portal: Portal):
    """Whoever of the two is first, no session of the device is proven afterwards."""
    support, root = portal.log_in("support"), portal.log_in("administrator")
    base = f"/admin/sls/suspension/device/{device_id(portal, 'owner')}/"
    for _ in range(ROUNDS):
        portal.reset()
        browser = portal.browser()
        page = portal.password(browser, "owner")
        login = browser.raw_post(page.path, {"response": press("owner", page.question)})
        act = support.raw_post(base + "suspend/", {"reason": "lost", "may_strand": "on"})
        before = recorded(portal, "sls.device.suspended")

        pages = portal.at_once([login, *[act] * 6])

        portal.refute_server_errors(pages)
        assert portal.count("sls_suspension") == 1
        # One row for the device and one for its only user.
        assert recorded(portal, "sls.device.suspended") == before + 2
        told = "portal_outboxmessage WHERE event = 'device_suspended' AND user_id = ?"
        assert portal.count(told, portal.id_of("owner")) == 1
        if pages[0].location == "/":
            browser.take(pages[0])
        assert browser.get("/settings/user/secure-login/").status == 302

        resumed = portal.at_once([root.raw_post(base + "resume/", {"reason": "found"})] * 6)

        portal.refute_server_errors(resumed)
        assert portal.count("sls_suspension WHERE resumed_at IS NOT NULL") == 1
        assert {page.code for page in resumed if page.status == 409} <= {"device_not_suspended"}
        assert len([page for page in resumed if page.location == base + "reach/"]) == 1
