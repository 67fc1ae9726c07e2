"""What holds on every page: accessibility, width, weight."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.serving import Portal, press, user

from .conftest import Visit
from .visitor import SECURE_LOGIN, SETTINGS, SHARE, every_page

pytestmark = pytest.mark.browser

FIRST_VIEW = 30_000
SECOND_VIEW = 6_000
LONG = ("requester", "owner")


def test_axe_finds_nothing_on_any_page_in_light_and_dark(visit: Visit):
    visitor = visit(reduced_motion="reduce")
    found = []
    for name in every_page(visitor):
        visitor.page.emulate_media(color_scheme="light")
        found += [f"{name}: {line}" for line in violations(visitor.page)]
        visitor.page.emulate_media(color_scheme="dark")  # of the rules only contrast looks at it
        found += [f"{name}, dark: {line}" for line in violations(visitor.page, "color-contrast")]
    assert found == []


def violations(page: Page, *rules: str) -> list[str]:
    options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    found = Axe().run(page, options=options).response["violations"]
    return [f"{rule['id']}: {node['html']}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_no_page_scrolls_sideways_on_a_phone_or_at_400_percent(visit: Visit, language: str):
    visitor = visit(language=language)
    too_wide = []
    for name in every_page(visitor):
        for width in (320, 360):
            visitor.page.set_viewport_size({"width": width, "height": 640})
            if visitor.overflow > 0:
                too_wide.append(f"{name} at {width}: {visitor.overflow} px")
    assert too_wide == []


@pytest.mark.parametrize("path", ["/settings/user/history/", "/settings/user/sessions/"])
def test_nothing_of_a_table_lies_beside_a_phones_screen(visit: Visit, path: str):
    visitor = visit(width=320)
    visitor.log_in("requester")
    visitor.go(path)
    cells = visitor.page.locator(".table--stacked :is(th, td):visible")
    assert cells.count() > 3
    rights = cells.evaluate_all("cells => cells.map(c => c.getBoundingClientRect().right)")
    assert max(rights) <= 320


def test_the_longest_names_fit_on_a_phone(visit: Visit, portal: Portal):
    visitor = visit(width=320)
    visitor.log_in("requester")
    long = {user(plays)["username"]: plays + ".of.all.the.trustees" * 4 for plays in LONG}
    rename = "UPDATE portal_user SET username = ? WHERE username = ?"
    for short_name, long_name in long.items():
        portal.sql(rename, long_name, short_name)
    try:
        too_wide = []
        for path in ("/", *SETTINGS, SECURE_LOGIN, SHARE):
            visitor.go(path)
            too_wide += [path] * (visitor.overflow > 0)
        visitor.page.locator("#id_username").fill(long[user("owner")["username"]])
        visitor.page.locator("#id_password").fill(user("owner")["password"])
        visitor.submit()
        too_wide += ["respond"] * (visitor.overflow > 0)
        visitor.respond(press("owner", visitor.question))
        too_wide += ["review"] * (visitor.overflow > 0)
        visitor.submit()
        too_wide += ["status"] * (visitor.overflow > 0)
    finally:
        for short_name, long_name in long.items():
            portal.sql(rename, short_name, long_name)
    assert too_wide == []


def test_a_page_weighs_little_and_less_the_second_time(visit: Visit):
    visitor = visit()
    weights = Weights(visitor.page)
    heavy = []
    visitor.go("/login/")
    for path in ("/login/", "/", *SETTINGS, SECURE_LOGIN, SHARE):
        if path == "/":
            visitor.log_in("requester")
        first, _ = weights.of(path, cache=False)
        again, asked = weights.of(path, cache=True)
        assert asked == 1, f"{path} asks for more than its HTML the second time"
        heavy += [(path, first)] * (first > FIRST_VIEW) + [(path, again)] * (again > SECOND_VIEW)
    assert heavy == []
    assert weights.uncompressed == []


class Weights:
    """Bytes on the wire, headers and all, as the browser counts them."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.uncompressed: list[str] = []
        self.cdp = page.context.new_cdp_session(page)
        self.cdp.send("Network.enable")
        self.cdp.on("Network.responseReceived", self._received)
        self.cdp.on("Network.loadingFinished", self._finished)
        self.cached: set[str] = set()
        self.bytes: dict[str, int] = {}

    def _received(self, event: dict[str, Any]) -> None:
        response = event["response"]
        if response.get("fromDiskCache") or response.get("fromPrefetchCache"):
            self.cached.add(event["requestId"])
        encoding = {k.lower(): v for k, v in response["headers"].items()}.get("content-encoding")
        if encoding not in ("gzip", "br", "zstd"):
            self.uncompressed.append(response["url"])

    def _finished(self, event: dict[str, Any]) -> None:
        self.bytes[event["requestId"]] = int(event["encodedDataLength"])

    def of(self, path: str, *, cache: bool) -> tuple[int, int]:
        """The bytes of a view, and how many requests went out for it."""
        if not cache:
            self.cdp.send("Network.clearBrowserCache")
        self.page.goto("about:blank")
        self.bytes.clear()
        self.cached.clear()
        self.page.goto(path, wait_until="load" if cache else "networkidle")
        sent = {i: size for i, size in self.bytes.items() if size and i not in self.cached}
        return sum(sent.values()), len(sent)
