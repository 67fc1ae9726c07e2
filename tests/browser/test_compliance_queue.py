"""The queue of the compliance desk by keyboard, and how it and the dashboard look to a checker."""

import pytest

from tests.serving import Portal, user

from .conftest import Visit
from .test_pages import violations
from .visitor import Visitor

pytestmark = pytest.mark.browser
QUEUE = "/admin/compliance/pendingshare/"
DASHBOARD = "/admin/compliance/dashboard/"
WIDTHS = (320, 360, 768, 1280)


@pytest.fixture
def waits(visit: Visit) -> None:
    """One request between two entities of a person."""
    requester = visit()
    requester.log_in("no_device")
    requester.prove("other_entity")
    requester.submit()
    assert requester.share_state == "pending"


def accessible(visitor: Visitor) -> None:
    """In both schemes, at every width."""
    for scheme in ("light", "dark"):
        visitor.page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            visitor.page.set_viewport_size({"width": width, "height": 800})
            assert visitor.overflow <= 0, (visitor.path, width)
            if width in (360, 1280):
                assert violations(visitor.page) == [], (visitor.path, width, scheme)


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize(("language", "page_language"), [("en-GB", "en"), ("zh-CN", "zh-hans")])
def test_the_keyboard_alone_finds_narrows_and_claims(
    visit: Visit, portal: Portal, language: str, page_language: str
):
    officer = visit(language=language, reduced_motion="reduce")
    page = officer.page
    officer.log_in("administrator")
    officer.go(QUEUE)
    assert page.locator("html").get_attribute("lang") == page_language
    page.keyboard.press("Tab")  # the skip link
    page.keyboard.press("Enter")
    officer.enter(".desk-tabs a[href='?stage=unclaimed']", leads_to=f"{QUEUE}?stage=unclaimed")
    assert page.locator(".desk-tabs [aria-current]").count() == 1
    officer.type_in("#id_q", user("no_device")["username"])
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{QUEUE}?*q=*")
    accessible(officer)
    assert page.locator(".desk-queue tbody tr").count() == 1
    officer.tab_to(".desk-queue button[name=claim]")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert portal.sql("SELECT count(*) FROM compliance_reviewcase WHERE claimed_by_id > 0") == [
        (1,)
    ]
    officer.go(f"{QUEUE}?stage=mine")
    assert page.locator(".desk-queue tbody tr").count() == 1


@pytest.mark.usefixtures("waits")
def test_keys_of_one_letter_move_only_inside_the_table(visit: Visit, portal: Portal):
    officer = visit()
    page = officer.page
    officer.log_in("administrator")
    officer.go(QUEUE)
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('.desk-queue')") is None
    page.locator(".desk-queue button[name=claim]").focus()
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.matches('.desk-queue tbody th a')")


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_the_dashboard_is_accessible_and_its_chart_has_a_table(visit: Visit, language: str):
    officer = visit(language=language, reduced_motion="reduce")
    officer.log_in("administrator")
    officer.go(DASHBOARD)
    accessible(officer)
    officer.tab_to(".desk details summary")
    officer.page.keyboard.press("Enter")
    assert officer.page.locator(".desk-days tbody tr").first.is_visible()
    accessible(officer)


@pytest.mark.usefixtures("waits")
def test_the_queue_works_without_javascript(visit: Visit):
    officer = visit(java_script_enabled=False, width=360)
    officer.log_in("administrator")
    officer.go(QUEUE)
    officer.page.locator("#id_order").select_option("newest")
    officer.click(".desk-apply input[type=submit]")
    assert officer.page.locator("#id_order").input_value() == "newest"
    officer.click("nav a[href='?stage=overdue']")
    assert officer.page.locator(".desk-empty").is_visible()
