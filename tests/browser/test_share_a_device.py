"""The nine steps of "How to share a security device", as people do them."""

import pytest

from tests.serving import Portal, press, user

from .conftest import Visit
from .visitor import SECURE_LOGIN, SHARE, SUBMIT, Visitor

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("language", "page_language"), [("en-GB", "en"), ("zh-CN", "zh-hans")])
def test_the_keyboard_alone_shares_a_device(visit: Visit, language: str, page_language: str):
    visitor = visit(language=language)
    page = visitor.page
    # Step 2: log in as the requesting user.
    visitor.go("/login/")
    assert page.locator("html").get_attribute("lang") == page_language
    visitor.type_at_once("#id_username", user("requester")["username"])
    visitor.type_in("#id_password", user("requester")["password"])
    visitor.enter(SUBMIT, leads_to="/login/card/")
    visitor.type_in("#id_response", visitor.read_card("requester", visitor.question))
    visitor.enter(SUBMIT, leads_to="/")
    # Step 3: the menu, Settings, User Settings.
    visitor.tab_to("header summary")
    page.keyboard.press("Enter")
    visitor.enter(".drawer a[href='/settings/user/']", leads_to="/settings/user/")
    # Steps 4 and 5b: the wheel, and Share Device.
    visitor.enter(f"main a[href='{SECURE_LOGIN}']", leads_to=SECURE_LOGIN)
    visitor.enter(f"main a[href='{SHARE}']", leads_to=SHARE)
    # Step 6: the credentials of the device owner.
    visitor.type_in("#id_username", user("owner")["username"])
    visitor.type_in("#id_password", user("owner")["password"])
    visitor.enter(SUBMIT, leads_to="/respond/")
    # Step 7: operate the device.
    visitor.type_in("#id_response", visitor.type_dsc("owner", visitor.question))
    visitor.enter(SUBMIT, leads_to="/review/")
    # Step 8: review. Step 9: the status, and OK.
    visitor.enter(SUBMIT, leads_to="/status/")
    assert visitor.share_state == "enforced"
    visitor.enter(".actions a.btn-primary", leads_to="/login/challenge/")
    # From now on the shared device answers.
    visitor.type_in("#id_response", visitor.type_dsc("owner", visitor.question))
    visitor.enter(SUBMIT, leads_to=SECURE_LOGIN)
    kinds = page.locator(".device:has([data-state=active])").evaluate_all(
        "cards => cards.map(card => card.dataset.kind)"
    )
    assert kinds == ["dsc_plus"]


def test_the_labels_of_the_source_stand_where_it_says(visit: Visit):
    visitor = visit()
    page = visitor.page
    visitor.log_in("requester")
    page.get_by_text("Menu", exact=True).click()
    assert page.get_by_text("Settings", exact=True).first.is_visible()
    page.get_by_role("link", name="User Settings", exact=True).first.click()
    assert page.get_by_text("Secure Login System", exact=True).first.is_visible()
    page.get_by_role("link", name="Configure Secure Login System").click()
    page.get_by_role("link", name="Share Device", exact=True).click()
    visitor.fill_in("owner")
    page.get_by_role("button", name="Continue", exact=True).click()
    visitor.page.locator("#id_response").fill(visitor.press_dsc("owner", visitor.question))
    page.get_by_role("button", name="Continue", exact=True).click()
    page.wait_for_url("**/review/")
    page.get_by_role("button", name="Continue", exact=True).click()
    page.wait_for_url("**/status/")
    page.get_by_role("link", name="OK", exact=True).click()
    assert page.get_by_role(
        "button", name="OK", exact=True
    ).is_visible()  # the device answers first


def test_a_device_is_shared_without_javascript(visit: Visit):
    visitor = visit(java_script_enabled=False)
    page = visitor.page
    visitor.go("/login/")
    visitor.fill_in("requester")
    visitor.submit()
    visitor.respond(visitor.read_card("requester", visitor.question))
    page.locator("header summary").first.click()
    visitor.click(".drawer a[href='/settings/user/']")
    visitor.click(f"main a[href='{SECURE_LOGIN}']")
    visitor.click(f"main a[href='{SHARE}']")
    visitor.fill_in("owner")
    visitor.submit()
    visitor.respond(press("owner", visitor.question))  # a real card needs no JavaScript
    visitor.submit()
    assert visitor.share_state == "enforced"
    visitor.click(".actions a.btn-primary")
    assert visitor.path == "/login/challenge/"


def test_a_refusal_says_why_without_javascript(visit: Visit):
    visitor = visit(java_script_enabled=False)
    visitor.log_in("no_device")
    visitor.prove("stranger")
    assert visitor.page.locator("[data-code=different_identification]").is_visible()


def test_a_user_without_a_device_starts_from_the_enrolment_menu(visit: Visit):
    visitor = visit()
    page = visitor.page
    visitor.log_in("no_device")
    visitor.go("/settings/user/")
    # Step 5a: the enrolment menu, and its third choice.
    visitor.enter(f"main a[href='{SECURE_LOGIN}']", leads_to=SECURE_LOGIN)
    visitor.tab_to("input[type=radio]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.locator("input[value=share]").is_checked()
    visitor.enter(SUBMIT, leads_to=SHARE)
    visitor.fill_in("owner")
    visitor.submit()
    visitor.respond(visitor.press_dsc("owner", visitor.question))
    page.wait_for_url("**/review/")
    visitor.submit()
    assert visitor.share_state == "enforced"
    visitor.click(".actions a.btn-primary")
    visitor.respond(visitor.press_dsc("owner", visitor.question))
    page.wait_for_url(f"**{SECURE_LOGIN}")
    assert page.locator(".device").get_attribute("data-kind") == "dsc_plus"


@pytest.mark.parametrize(
    ("requester", "owner", "code"),
    [
        ("stranger", "requester", "less_secure_device"),
        ("no_device", "stranger", "different_identification"),
        ("no_device", "outdated_document", "different_identification"),
        ("no_device", "temporary_code", "temporary_device"),
    ],
)
def test_a_refusal_gets_the_focus_and_names_its_code(
    visit: Visit, requester: str, owner: str, code: str
):
    visitor = visit()
    visitor.log_in(requester)
    visitor.prove(owner)
    refusal = visitor.page.locator(f'[role=alert][data-code="{code}"]')
    assert refusal.get_by_role("heading").is_visible()
    assert refusal.evaluate("e => e === document.activeElement")
    assert visitor.share_state == "refused"


def test_a_wrong_response_keeps_the_question_and_gets_the_focus(visit: Visit):
    visitor = visit()
    visitor.log_in("no_device")
    visitor.start_share("owner")
    question = visitor.question
    visitor.respond("00000000")
    assert visitor.page.locator("[role=alert][data-code=invalid_response]:focus").is_visible()
    assert visitor.question == question
    assert visitor.page.locator("#id_response").input_value() == ""


def arrive_by_reload_and_back(visitor: Visitor) -> None:
    """Reload, go back and come again: the same page, and never an error."""
    here = visitor.path
    for act in (visitor.page.reload, visitor.page.go_back, visitor.page.go_forward):
        answer = act()
        assert answer is None or answer.status == 200
        assert visitor.page.locator("h1").is_visible()
    assert visitor.path == here


def test_reload_back_and_double_submit_have_no_second_effect(visit: Visit, portal: Portal):
    visitor = visit()
    visitor.log_in("requester")
    visitor.go(SHARE)
    visitor.fill_in("owner")
    visitor.page.locator(SUBMIT).dblclick(delay=40)
    visitor.arrive_at("/respond/")
    arrive_by_reload_and_back(visitor)
    visitor.page.locator("#id_response").fill(press("owner", visitor.question))
    visitor.page.locator(SUBMIT).dblclick(delay=40)
    visitor.arrive_at("/review/")
    arrive_by_reload_and_back(visitor)
    visitor.page.locator(SUBMIT).dblclick(delay=40)
    visitor.arrive_at("/status/")
    assert visitor.page.locator("h1").is_visible()
    portal.wait_for_messages()
    assert portal.count("sls_sharerequest WHERE state = 'enforced'") == 1
    assert portal.count("sls_sharerequest WHERE state IN ('draft', 'proven')") == 0
    assert portal.count("sls_devicegrant WHERE share_id IS NOT NULL") == 1
    assert len([m for m in portal.messages() if m["event"].startswith("share")]) == 2
    assert portal.broken_invariants() == []


def test_back_from_the_status_leads_to_the_status(visit: Visit):
    visitor = visit()
    visitor.log_in("requester")
    visitor.prove("owner")
    visitor.submit()
    visitor.page.go_back()
    assert visitor.path.endswith("/status/")


def test_of_two_tabs_only_the_newest_counts(visit: Visit, portal: Portal):
    visitor = visit()
    visitor.log_in("requester")
    visitor.start_share("owner")
    older, response = visitor.page, press("owner", visitor.question)
    visitor.page = visitor.context.new_page()
    visitor.start_share("other_entity")
    older.locator("#id_response").fill(response)
    older.locator(SUBMIT).click()
    older.wait_for_url("**/status/")
    assert older.locator("[data-status]").get_attribute("data-status") == "cancelled"
    visitor.respond(press("other_entity", visitor.question))
    visitor.submit()
    assert visitor.share_state == "pending"
    states = portal.sql("SELECT owner_id, state FROM sls_sharerequest ORDER BY created_at")
    assert states == [
        (portal.id_of("owner"), "cancelled"),
        (portal.id_of("other_entity"), "pending"),
    ]


def test_the_link_in_the_owners_message_ends_the_sharing_without_a_login(
    visit: Visit, portal: Portal
):
    visitor = visit()
    visitor.log_in("requester")
    visitor.prove("owner")
    visitor.submit()
    portal.wait_for_messages()
    texts = [message["text"] for message in portal.messages()]
    [path] = {"/" + link for text in texts for link in links(text) if "/undo/" in link}
    owner = visit()
    owner.go(path)
    assert portal.count("sls_sharerequest WHERE state = 'enforced'") == 1  # opening changes nothing
    owner.submit()
    assert owner.page.locator("main [role=status]").is_visible()
    assert portal.count("sls_sharerequest WHERE state = 'enforced'") == 0
    owner.go(path)
    assert owner.page.locator(SUBMIT).count() == 0  # it works once
    visitor.page.reload()
    assert visitor.share_state == "cancelled"


def links(text: str) -> list[str]:
    return [word.split("/", 3)[3] for word in text.split() if word.startswith("http")]
