"""The support desk in a browser: from the search to a checked caller and a suspended device."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.serving import Portal, press, user

from .conftest import Visit
from .visitor import Visitor

pytestmark = pytest.mark.browser
DESK = "/admin/sls/clientrecord/"
BUTTON = "#content input[type=submit]"


def accessible(visitor: Visitor) -> None:
    # The admin's style sheets import one another; axe would fetch them with inline styles, which the
    # content security policy forbids it.
    options = {"resultTypes": ["violations"], "preload": False}
    found = Axe().run(visitor.page, options=options).response["violations"]
    assert [rule["id"] for rule in found] == [], visitor.path
    assert visitor.overflow <= 0, (visitor.path, visitor.overflow)


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_from_the_search_to_a_checked_caller_and_a_suspended_device(
    visit: Visit, portal: Portal, language: str, width: int, scheme: str
):
    visitor = visit(language=language, width=width, color_scheme=scheme)
    page = visitor.page
    visitor.log_in("support")
    visitor.go(DESK)
    accessible(visitor)
    page.fill("#id_q", user("owner")["username"])
    visitor.click(BUTTON)
    assert visitor.path == f"{DESK}{portal.id_of('owner')}/change/"
    accessible(visitor)

    visitor.click("a[href*='/callercheck/ask/']")
    accessible(visitor)
    page.fill("#id_ticket", "T-4711")
    page.fill("#id_reason", "Wants a Temporary Code")
    visitor.click(BUTTON)
    accessible(visitor)
    page.fill("#id_response", press("owner", visitor.question))
    visitor.click(BUTTON + ".default")
    assert page.locator("[data-result=passed]").is_visible()
    accessible(visitor)

    visitor.go(f"{DESK}?q={user('owner')['username']}")
    visitor.click("a[href*='/suspension/device/']")
    accessible(visitor)
    visitor.click("a[href$='/suspend/']")
    accessible(visitor)
    page.fill("#id_reason", "Lost in the tram")
    page.check("#id_may_strand")
    visitor.click(BUTTON)
    assert visitor.path.endswith("/reach/")
    accessible(visitor)
    assert portal.count("sls_suspension WHERE resumed_at IS NULL") == 1
