"""Somebody with the phone app in hand. Elements are found by names and data attributes, in any language."""

from typing import Any

from playwright.sync_api import BrowserContext, Locator

PIN = "7kX!2"


class Holder:
    """The app in one browser context."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.page = context.pages[0] if context.pages else context.new_page()

    def open(self) -> "Holder":
        self.page.goto("/phone/")
        self.page.locator("#screen h1").wait_for()
        return self

    def is_on(self, screen: str) -> Locator:
        """Wait for the screen."""
        found = self.page.locator(f'#screen[data-screen="{screen}"] .screen')
        found.wait_for()
        return found

    def do(self, deed: str) -> None:
        self.page.locator(f'#screen button[data-do="{deed}"]:visible').first.click()

    def submit(self) -> None:
        self.page.locator("#screen button[type=submit]:visible").click()

    def fill(self, **fields: str) -> None:
        for name, text in fields.items():
            self.page.locator(f'#screen [name="{name}"]').fill(text)

    @property
    def refusal(self) -> str | None:
        place = self.page.locator("#screen [data-refusal][data-code]")
        place.wait_for()
        return place.get_attribute("data-code")

    def authenticator(self, *, verifies: bool = True, prf: bool = True) -> Any:
        """A platform authenticator of Chromium's own."""
        cdp = self.context.new_cdp_session(self.page)
        cdp.send("WebAuthn.enable", {"enableUI": False})
        options = {
            "protocol": "ctap2",
            "ctap2Version": "ctap2_1",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "hasPrf": prf,
            "isUserVerified": verifies,
            "automaticPresenceSimulation": True,
        }
        made = cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})

        def verify(does: bool) -> None:
            cdp.send(
                "WebAuthn.setUserVerified",
                {"authenticatorId": made["authenticatorId"], "isUserVerified": does},
            )

        return verify

    # Journeys

    def to_code(self, username: str, password: str) -> None:
        """From the first screen to the Activation Code."""
        self.is_on("instructions")
        self.do("continue")
        self.is_on("credentials")
        self.fill(username=username, password=password)
        self.submit()
        self.is_on("number")
        self.submit()
        self.is_on("code")
