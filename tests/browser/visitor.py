"""
A visitor in a browser: he logs in, goes through the wizard and holds the demo's devices in a second tab.

Elements are found by ids, addresses and data attributes, so that all works in every language.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    expect,
)

from tests.serving import device, press, user

SECURE_LOGIN = "/settings/user/secure-login/"
SHARE = SECURE_LOGIN + "share/"
FORGOT = "/settings/user/password/forgot/"
SETTINGS = (
    "/settings/user/",
    "/settings/account/",
    "/settings/user/password/",
    "/settings/user/sessions/",
    "/settings/user/history/",
    "/settings/user/mobile/",
)
SUBMIT = "main form button[type=submit]"
MOST_TABS = 60
PATIENCE = 8_000  # milliseconds
# Chromium's advice for computers without ES256; the phone app's protocol names ES256 alone.
ADVICE = "publicKey.pubKeyCredParams is missing at least one of the default algorithm identifiers"


class Visitor:
    """One browser context with its main tab; `complaints` is what must stay empty."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.complaints: list[str] = []
        context.on("console", self._heard)
        context.on("request", self._asked)
        context.on("response", self._answered)
        context.on("weberror", lambda error: self.complaints.append(f"script: {error.error}"))
        self.page = context.new_page()

    # What is watched

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(ADVICE):
            self.complaints.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme != "data" and address.hostname != "localhost":
            self.complaints.append(f"another origin: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {urlsplit(response.url).path}")

    # Where he is

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path

    @property
    def question(self) -> str:
        return self.page.locator("#challenge-code, #index-numbers").inner_text().strip()

    @property
    def share_state(self) -> str | None:
        return self.page.locator("[data-status]").get_attribute("data-status")

    @property
    def overflow(self) -> int:
        """How many pixels of the page lie beyond its right edge."""
        root = "document.documentElement"
        return int(self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))

    # With mouse and fields

    def go(self, path: str) -> None:
        self.page.goto(path)

    def submit(self) -> None:
        self.click(SUBMIT)

    def click(self, selector: str) -> None:
        """On a link or button that leads to a page, and wait for it."""
        with self.page.expect_navigation():
            self.page.locator(selector).last.click()

    def arrive_at(self, end: str) -> None:
        """
        Wait for the page whose path ends so, or is "/" itself. On the way a second click may cut a navigation
        off, which `wait_for_url` would call an error.
        """
        path = re.escape(end) if end == "/" else f".*{re.escape(end)}"
        expect(self.page).to_have_url(
            re.compile(rf"^http://[^/]+{path}([?#].*)?$"), timeout=PATIENCE
        )
        self.page.wait_for_load_state()

    def fill_in(self, plays: str) -> None:
        who = user(plays)
        self.page.locator("#id_username").fill(who["username"])
        self.page.locator("#id_password").fill(who["password"])

    def log_in(self, plays: str) -> None:
        """With the device in hand, if he has one."""
        self.go("/login/")
        self.fill_in(plays)
        self.submit()
        if self.path == "/login/choose/":
            self.page.locator("input[type=radio]").first.check()
            self.submit()
        if self.path != "/":
            self.respond(press(plays, self.question))
        assert self.path == "/"

    def start_share(self, owner: str) -> None:
        self.go(SHARE)
        self.fill_in(owner)
        self.submit()
        assert self.path.endswith("/respond/")

    def respond(self, response: str) -> None:
        self.page.locator("#id_response").fill(response)
        self.submit()

    def prove(self, owner: str) -> None:
        self.start_share(owner)
        self.respond(press(owner, self.question))

    # With the keyboard alone

    def tab_to(self, selector: str, page: Page | None = None) -> Locator:
        """Tab on until the element has the focus, and a ring to show it."""
        page = page or self.page
        goal = page.locator(selector).first
        for _ in range(MOST_TABS):
            page.keyboard.press("Tab")
            if goal.evaluate("e => e === document.activeElement"):
                assert goal.evaluate("e => e.matches(':focus-visible')"), f"no ring: {selector}"
                return goal
        raise AssertionError(f"the keyboard does not reach {selector} on {page.url}")

    def enter(self, selector: str, *, leads_to: str) -> None:
        """Press Enter on a link or button, and arrive."""
        self.tab_to(selector)
        self.page.keyboard.press("Enter")
        self.arrive_at(leads_to)

    def type_in(self, selector: str, text: str) -> None:
        self.tab_to(selector)
        self.page.keyboard.type(text)

    def type_at_once(self, selector: str, text: str) -> None:
        """In the field that a page gives the focus to: a browser does so with its first drawing, not with its load."""
        self.page.locator(f"{selector}:focus").wait_for()
        self.page.keyboard.type(text)

    # At the demo's devices, in a second tab

    def read_card(self, plays: str, question: str) -> str:
        """What the printed card says at these index numbers."""
        tab = self.context.new_page()
        tab.goto("/demo/")
        card = tab.locator(f'.code-card[data-holder="{user(plays)["username"]}"]')
        cells = dict(card.locator("tbody tr").evaluate_all(ROWS))
        tab.close()
        return "".join(cells[index] for index in question.split())

    def press_dsc(self, plays: str, question: str) -> str:
        """Operate the card by its keys, and read its display."""
        tab = self.context.new_page()
        dsc = OnScreenDsc(tab, plays)
        for key in ("press", *dsc.pin, "ok", *question, "ok"):
            dsc.press(key)
        response = dsc.wait_for("response").response
        tab.close()
        return response

    def type_dsc(self, plays: str, question: str) -> str:
        """Operate the card by the keyboard alone."""
        tab = self.context.new_page()
        dsc = OnScreenDsc(tab, plays)
        self.tab_to(f'.dsc[data-holder="{dsc.holder}"] .dsc__case', tab)
        for keys in ("", dsc.pin, question):
            tab.keyboard.type(keys)
            tab.keyboard.press("Enter")
            dsc.wait_until_it_moved()
        response = dsc.wait_for("response").response
        tab.close()
        return response


ROWS = "rows => rows.map(row => [row.cells[0].textContent, row.cells[1].textContent])"


class OnScreenDsc:
    """The DSC+ of one member of the cast, taken into the hand on the demo page."""

    def __init__(self, tab: Page, plays: str) -> None:
        self.holder = user(plays)["username"]
        self.pin: str = device(plays)["pin"]
        tab.goto(f"/demo/?hold={device(plays)['serial']}")
        self.section = tab.locator(f'.dsc[data-holder="{self.holder}"]')
        self.before: str | None = "off"

    @property
    def state(self) -> str | None:
        return self.section.get_attribute("data-state")

    @property
    def response(self) -> str:
        return "".join(self.section.locator(".dsc__line").inner_text().split())

    def press(self, key: str) -> None:
        self.section.locator(f'[data-key="{key}"]').click()
        if key == "ok":
            self.wait_until_it_moved()
        self.before = self.state

    def wait_until_it_moved(self) -> None:
        self.section.and_(
            self.section.page.locator(f'.dsc:not([data-state="{self.before}"])')
        ).wait_for()
        self.before = self.state

    def wait_for(self, state: str) -> "OnScreenDsc":
        self.section.and_(self.section.page.locator(f'[data-state="{state}"]')).wait_for()
        return self

    def wrong_pin(self) -> None:
        """Once from the display's "off" or "wrong PIN"."""
        for digit in "0000" if self.pin != "0000" else "1111":
            self.section.locator(f'[data-key="{digit}"]').click()
        tries = self.section.locator(".dsc__note").inner_text()
        self.section.locator('[data-key="ok"]').click()
        self.section.locator(".dsc__note").filter(has_not_text=tries).wait_for()


def every_page(visit: Visitor) -> Iterator[str]:
    """Lead a visitor through every page of the journeys; at each, its name. He starts logged out."""
    page = visit.page
    visit.go("/login/")
    yield "login"
    visit.submit()
    yield "login, nothing filled in"
    visit.go("/login/")
    page.locator("#id_username").fill("nobody")
    page.locator("#id_password").fill("nothing")
    visit.submit()
    yield "login, wrong password"
    visit.go("/login/")
    for _ in range(4):
        page.locator("#id_username").fill("nobody")
        page.locator("#id_password").fill("nothing")
        visit.submit()
    yield "login, wait"
    visit.go(FORGOT)
    yield "forgot"
    visit.submit()
    yield "forgot, nothing filled in"
    page.locator("#id_username").fill("nobody")
    visit.submit()
    yield "forgot, sent"
    visit.go("/login/")
    visit.fill_in("requester")
    visit.submit()
    yield "login, index numbers"
    visit.respond(press("requester", visit.question))
    yield "home"
    page.locator("header summary").first.click()
    yield "menu"
    for path in (*SETTINGS, SECURE_LOGIN, SHARE):
        visit.go(path)
        yield path
    visit.submit()
    yield "owner, nothing filled in"
    visit.start_share("owner")
    yield "respond"
    visit.respond("00000000")
    yield "respond, wrong response"
    visit.respond(press("owner", visit.question))
    yield "review"
    visit.submit()
    yield "status"
    visit.go(SECURE_LOGIN)
    yield "login, challenge code"
    visit.respond(press("owner", visit.question))
    yield "device list, shared"
    visit.click("main a[href$='/cancel/']")
    yield "cancel"
    visit.context.clear_cookies(name="session")
    visit.log_in("no_device")
    yield "home, no device"
    visit.go(SECURE_LOGIN)
    yield "enrolment menu"
    for choice in ("phone", "card"):
        page.locator(f"input[value={choice}]").check()
        visit.submit()
        yield f"enrolment, {choice}"
        visit.go(SECURE_LOGIN)
    for owner in ("stranger", "temporary_code"):
        visit.prove(owner)
        yield f"refused, {owner}"
    visit.prove("other_entity")
    visit.submit()
    yield "status, pending"
    visit.go(SECURE_LOGIN)
    yield "enrolment menu, pending"
    visit.go("/demo/")
    yield "demo"
