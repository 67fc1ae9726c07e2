"""
The compliance desk in a browser: a request goes from the queue over two officers to its client, by the
keyboard alone and in both languages; and every page of it is accessible and fits.
"""

import pytest
from axe_playwright_python.sync_playwright import Axe

from .conftest import Visit
from .visitor import Visitor

pytestmark = pytest.mark.browser
QUEUE = "/admin/compliance/pendingshare/"
POLICIES = "/admin/sls/reviewpolicy/"
WORDS = "My savings are with the trust now."
LANGUAGES = [("en-GB", "en"), ("zh-CN", "zh-hans")]


def ask(visitor: Visitor) -> str:
    """The client asks for the device of his other entity; the address of his status page."""
    visitor.log_in("requester")
    visitor.prove("other_entity")
    visitor.page.locator("main textarea").fill(WORDS)
    visitor.submit()
    assert visitor.share_state == "pending"
    return visitor.path


def accessible(visitor: Visitor) -> None:
    """No violation, and nothing beyond the right edge on a phone either."""
    # The admin's style sheets import one another; axe would fetch them with inline styles, which the
    # content security policy forbids it.
    found = Axe().run(visitor.page, options={"resultTypes": ["violations"], "preload": False})
    violations = found.response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in violations] == [], visitor.path
    was = visitor.page.viewport_size
    for width in (360, 1280):
        visitor.page.set_viewport_size({"width": width, "height": 800})
        assert visitor.overflow <= 0, f"{visitor.path} at {width}"
    visitor.page.set_viewport_size(was)


def stage(visitor: Visitor) -> str | None:
    return visitor.page.locator("[data-stage]").get_attribute("data-stage")


def claim_by_keyboard(visitor: Visitor) -> None:
    visitor.go(QUEUE)
    visitor.tab_to("button[name=claim]")
    visitor.page.keyboard.press("Enter")
    visitor.page.locator('[data-stage="mine"]').wait_for()
    accessible(visitor)


def judge_by_keyboard(visitor: Visitor, act: str, verdict: str, reason: str) -> None:
    """Fill the form in, read the preview, confirm."""
    page = visitor.page
    visitor.tab_to("input[name=verdict]")
    page.keyboard.press("Space")
    if verdict == "reject":
        page.keyboard.press("ArrowDown")
    visitor.tab_to("select[name=reason]")
    page.locator("select[name=reason]").select_option(reason)
    visitor.type_in("textarea[name=note]", "Both documents compared.")
    visitor.enter(f"form[action$='/{act}/'] input[type=submit]", leads_to=f"/{act}/")
    accessible(visitor)
    letters = page.locator(".case-letters article")
    assert letters.evaluate_all("found => found.map(one => one.lang + one.dataset.sent)") == [
        *("enyes", "zh-hansno", "enyes", "zh-hansno")
    ]
    visitor.tab_to("input[name=confirmed]")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.locator("[data-stage]").wait_for()
    accessible(visitor)


@pytest.mark.parametrize(
    ("language", "page_language", "verdict", "reason", "outcome"),
    [
        (*LANGUAGES[0], "approve", "same_person", "enforced"),
        (*LANGUAGES[1], "reject", "identity_unclear", "rejected"),
    ],
)
def test_a_request_goes_from_the_queue_over_two_officers_to_its_client(
    visit: Visit, language: str, page_language: str, verdict: str, reason: str, outcome: str
):
    client = visit(language=language)
    status = ask(client)

    maker = visit(language=language, reduced_motion="reduce")
    maker.log_in("officer")
    claim_by_keyboard(maker)
    assert maker.page.locator("html").get_attribute("lang") == page_language
    assert maker.page.locator(".case-note").inner_text() == WORDS
    assert maker.page.locator('tr[data-field="document_number"]').count() == 1
    judge_by_keyboard(maker, "recommend", verdict, reason)
    assert stage(maker) == "recommended"

    checker = visit(language=language, reduced_motion="reduce")
    checker.log_in("second_officer")
    claim_by_keyboard(checker)
    judge_by_keyboard(checker, "decide", verdict, reason)
    assert stage(checker) == "decided"
    checker.click("a[data-step='decision']")
    accessible(checker)

    client.go(status)
    assert client.share_state == outcome
    accessible(client)


def test_a_field_is_shown_in_full_and_masked_again(visit: Visit):
    ask(visit())
    officer = visit()
    officer.log_in("officer")
    claim_by_keyboard(officer)
    officer.click("button[value='requester:document_number']")
    assert officer.page.locator("#unmasked").inner_text() == "LX2047713"
    accessible(officer)
    assert "LX2047713" not in officer.page.url
    officer.click("#content-main a.button")
    assert "LX2047713" not in officer.page.content()


@pytest.mark.parametrize(("language", "page_language"), LANGUAGES)
def test_new_rules_are_rehearsed_and_scheduled(visit: Visit, language: str, page_language: str):
    ask(visit())
    lead = visit(language=language)
    lead.log_in("lead")
    lead.go(POLICIES)
    accessible(lead)
    lead.click("a.addlink")
    accessible(lead)
    lead.page.locator("#id_other_entity-is_on").uncheck()
    lead.page.locator("#id_note").fill("Rehearsed together.")
    lead.click("input[name=rehearse]")
    accessible(lead)
    assert lead.page.locator("html").get_attribute("lang") == page_language
    assert lead.page.locator("[data-kind=freed]").inner_text() != "0"
    lead.click("input[name=confirmed], input[name=confirm]")
    assert lead.path == POLICIES
    assert "Rehearsed together." in lead.page.content()
    accessible(lead)


def test_the_whole_journey_needs_no_javascript(visit: Visit):
    ask(visit())
    officer = visit(java_script_enabled=False, width=360)
    officer.log_in("officer")
    officer.go(QUEUE)
    officer.click("button[name=claim]")
    officer.page.locator("input[name=verdict][value=approve]").check()
    officer.page.locator("select[name=reason]").select_option("same_person")
    officer.page.locator("textarea[name=note]").fill("Compared.")
    officer.click("form[action$='/recommend/'] input[type=submit]")
    officer.click("input[name=confirmed]")
    assert stage(officer) == "recommended"
