"""A new password, "This was not me", the chooser, two tabs and a double click, as people meet them."""

from collections.abc import Iterator

import pytest

from tests.serving import Portal, press, user

from .conftest import Visit
from .test_pages import violations
from .visitor import FORGOT, SUBMIT, Visitor

pytestmark = pytest.mark.browser
LANGUAGES = pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
NEW = "a fine new harbour 7"


@pytest.fixture(autouse=True)
def people_as_they_were(portal: Portal) -> Iterator[None]:
    """Passwords and whose card it is, put back for the tests after these."""
    users = portal.sql("SELECT password, id FROM portal_user")
    grants = portal.sql("SELECT user_id, id FROM sls_devicegrant")
    yield
    for row in users:
        portal.sql("UPDATE portal_user SET password = ? WHERE id = ?", *row)
    for row in grants:
        portal.sql("UPDATE sls_devicegrant SET user_id = ? WHERE id = ?", *row)


def link(portal: Portal, event: str, part: str) -> str:
    portal.wait_for_messages()
    texts = [m["text"] for m in portal.messages() if m["event"] == event]
    words = [word for text in texts for word in text.split() if part in word]
    return "/" + words[-1].split("/", 3)[3]


@LANGUAGES
def test_the_keyboard_alone_sets_a_new_password(visit: Visit, portal: Portal, language: str):
    visitor = visit(language=language)
    page = visitor.page
    found = []
    visitor.go("/login/")
    visitor.enter(f"main a[href='{FORGOT}']", leads_to=FORGOT)
    found += violations(page)
    visitor.type_in("#id_username", user("owner")["username"])
    visitor.enter(SUBMIT, leads_to="/sent/")
    found += violations(page)
    visitor.go(link(portal, "password_forgotten", "/reset/link/"))
    found += violations(page)
    visitor.enter(SUBMIT, leads_to="/reset/device/")
    found += violations(page)
    visitor.type_in("#id_response", press("owner", visitor.question))
    visitor.enter(SUBMIT, leads_to="/reset/new/")
    found += violations(page)
    visitor.type_in("#id_new", NEW)
    visitor.type_in("#id_again", NEW)
    visitor.enter(SUBMIT, leads_to="/login/")
    found += violations(page)
    assert page.locator("main [role=status]").is_visible()
    page.locator("#id_username").fill(user("owner")["username"])
    page.locator("#id_password").fill(NEW)
    visitor.submit()
    found += violations(page)
    visitor.respond(press("owner", visitor.question))
    assert visitor.path == "/"
    assert found == []


@LANGUAGES
def test_the_keyboard_alone_disowns_a_login(visit: Visit, portal: Portal, language: str):
    thief = visit(language=language)
    thief.log_in("owner")
    visitor = visit(language=language)
    visitor.go(link(portal, "new_browser", "/not-me/"))
    found = violations(visitor.page)
    visitor.tab_to(SUBMIT)
    with visitor.page.expect_navigation():
        visitor.page.keyboard.press("Enter")
    found += violations(visitor.page)
    assert visitor.page.locator("main [role=status]").is_visible()
    thief.go("/settings/user/")
    assert thief.path == "/login/"
    visitor.enter(f"main a[href='{FORGOT}']", leads_to=FORGOT)
    assert found == []


@LANGUAGES
def test_the_keyboard_alone_chooses_a_device_once_and_for_all(
    visit: Visit, portal: Portal, language: str
):
    card = "(SELECT id FROM sls_securitydevice WHERE kind = 'code_card')"
    move = f"UPDATE sls_devicegrant SET user_id = ? WHERE device_id = {card}"
    portal.sql(move, portal.id_of("owner"))
    visitor = visit(language=language)
    found = []

    def password() -> None:
        visitor.go("/login/")
        visitor.type_at_once("#id_username", user("owner")["username"])
        visitor.type_in("#id_password", user("owner")["password"])
        visitor.tab_to(SUBMIT)
        with visitor.page.expect_navigation():
            visitor.page.keyboard.press("Enter")

    password()
    assert visitor.path == "/login/choose/"
    found += violations(visitor.page)
    visitor.tab_to("input[type=radio]")
    visitor.page.keyboard.press("Space")
    visitor.tab_to("#id_first")
    visitor.page.keyboard.press("Space")
    with visitor.page.expect_navigation():
        visitor.page.keyboard.press("Enter")
    where = visitor.path
    found += violations(visitor.page)
    plays = "requester" if where == "/login/card/" else "owner"
    visitor.type_in("#id_response", press(plays, visitor.question))
    visitor.enter(SUBMIT, leads_to="/")
    visitor.context.clear_cookies(name="session")
    password()
    assert visitor.path == where
    visitor.enter("main a[href='/login/choose/']", leads_to="/login/choose/")
    found += violations(visitor.page)
    assert visitor.page.locator("#id_every_time").is_visible()
    assert found == []


def waiting(visitor: Visitor) -> None:
    visitor.go("/login/")
    visitor.fill_in("owner")
    visitor.submit()


def test_a_double_click_on_ok_ends_logged_in(visit: Visit, portal: Portal):
    for number in range(5):
        visitor = visit()
        waiting(visitor)
        visitor.page.locator("#id_response").fill(press("owner", visitor.question))
        visitor.page.locator(SUBMIT).dblclick(delay=5 + 15 * number)
        visitor.arrive_at("/")
        visitor.page.locator("header .wordmark[href='/']").wait_for()
        visitor.page.reload()
        assert visitor.path == "/"
        visitor.page.go_back()
        assert visitor.path == "/"


def test_the_older_of_two_tabs_is_told_kindly(visit: Visit):
    visitor = visit()
    waiting(visitor)
    older, response = visitor.page, press("owner", visitor.question)
    visitor.page = visitor.context.new_page()
    waiting(visitor)
    older.locator("#id_response").fill(response)
    older.locator(SUBMIT).click()
    older.locator("[data-code=newer_login]").wait_for()
    assert violations(older) == []
    visitor.respond(press("owner", visitor.question))
    assert visitor.path == "/"
