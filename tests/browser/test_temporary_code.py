"""Back in without the device: a Temporary Code, then a card one prints oneself (KB70, KB1873)."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.serving import Portal, the_cast, user

from .conftest import Visit
from .test_pages import violations
from .visitor import SUBMIT, Visitor

pytestmark = pytest.mark.browser
CARD = "/settings/user/secure-login/enrol/card/"
WHO = "temporary_code"


def temporary_code() -> str:
    held = the_cast()["devices"]
    return next(d["code"] for d in held if d["kind"] == "temporary_code")


@pytest.fixture
def _third_day(portal: Portal) -> Iterator[None]:
    """The code was read out more than two days ago."""
    change = "UPDATE sls_securitydevice SET full_access_until = ? WHERE kind = 'temporary_code'"
    now = datetime.now(UTC).replace(tzinfo=None)
    portal.sql(change, str(now - timedelta(hours=1)))
    yield
    portal.sql(change, str(now + timedelta(days=2)))


def values_on(visitor: Visitor) -> dict[str, str]:
    rows = visitor.page.locator(".card-table tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent.trim()))"
    )
    return {row[i]: row[i + 1] for row in rows for i in range(0, len(row), 2)}


def accessible(visitor: Visitor) -> None:
    assert violations(visitor.page) == [], visitor.path
    assert visitor.overflow <= 0, visitor.path


@pytest.mark.usefixtures("_third_day")
@pytest.mark.parametrize(("language", "page_language"), [("en-GB", "en"), ("zh-CN", "zh-hans")])
def test_the_keyboard_alone_leads_from_the_code_to_a_confirmed_card(
    visit: Visit, language: str, page_language: str
):
    visitor = visit(language=language, reduced_motion="reduce")
    page = visitor.page
    visitor.go("/login/")
    assert page.locator("html").get_attribute("lang") == page_language
    visitor.type_at_once("#id_username", user(WHO)["username"])
    visitor.type_in("#id_password", user(WHO)["password"])
    visitor.enter(SUBMIT, leads_to="/login/choose/")
    visitor.tab_to("input[type=radio]")
    page.keyboard.press("ArrowDown")  # the DSC+ is not at hand
    visitor.enter(SUBMIT, leads_to="/login/code/")
    accessible(visitor)
    visitor.type_at_once("#id_response", temporary_code())
    visitor.enter(SUBMIT, leads_to=CARD)  # nothing else is open any more
    accessible(visitor)
    visitor.tab_to(SUBMIT)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert re.fullmatch(CARD + "[0-9a-f-]{36}/", visitor.path)
    accessible(visitor)
    values = values_on(visitor)
    assert len(values) == 224
    visitor.enter("form[action$='/check/'] button", leads_to="/confirm/")
    accessible(visitor)
    visitor.type_in("#id_response", "".join(values[i] for i in visitor.question.split()))
    visitor.enter(SUBMIT, leads_to="/done/")
    accessible(visitor)
    visitor.enter("main a.btn-primary", leads_to="/settings/user/secure-login/")
    kinds = page.locator(".device").evaluate_all("cards => cards.map(card => card.dataset.kind)")
    assert sorted(kinds) == ["dsc_plus", "online_card"]


def test_a_card_is_printed_on_one_page_also_in_large_print(visit: Visit):
    visitor = visit()
    visitor.log_in("owner")
    visitor.go(CARD)
    visitor.submit()
    shown = visitor.path
    for address in (shown, shown + "?print=large"):
        visitor.go(address)
        pdf = visitor.page.pdf(format="A4", prefer_css_page_size=True)
        assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1, address


def test_a_card_is_requested_and_confirmed_without_javascript_on_a_phone(visit: Visit):
    visitor = visit(java_script_enabled=False, width=320)
    visitor.log_in("owner")
    visitor.go(CARD)
    visitor.submit()
    page = visitor.page
    assert not page.locator("[data-print]").is_visible()
    cells = page.locator(".card-table :is(th, td)").all_text_contents()
    texts = [text.strip() for text in cells]
    values = dict(zip(texts[::2], texts[1::2], strict=True))
    visitor.click("form[action$='/check/'] button")
    visitor.respond("".join(values[i] for i in visitor.question.split()))
    assert visitor.path.endswith("/done/")


def test_the_code_of_the_demo_page_opens_the_login(visit: Visit):
    visitor = visit()
    visitor.go("/demo/")
    shown = visitor.page.locator(f'[data-holder="{user(WHO)["username"]}"] .demo-code')
    code = shown.inner_text()
    visitor.go("/login/")
    visitor.fill_in(WHO)
    visitor.submit()
    visitor.page.locator("input[type=radio]").nth(1).check()
    visitor.submit()
    visitor.respond(code)
    assert visitor.path == "/"
