"""The journeys that several benchmarks make, in any browser."""

import re

from .browser import Browser, Page
from .people import PASSWORD, Pair, Person

HOME = "/settings/user/secure-login/"


class Astray(Exception):
    """A journey did not come where it should; the message shows the page."""


def log_in(browser: Browser, person: Person) -> Page:
    """Password, then the device: five requests to the home page, two more when there is a choice."""
    browser.get("/login/")
    page = browser.post("/login/", {"username": person.username, "password": PASSWORD})
    where = _redirected(page)
    page = browser.get(where)
    if where == "/login/choose/":
        grant = re.search(
            r'name="grant"[^>]*value="(\d+)"|value="(\d+)"[^>]*name="grant"', page.text
        )
        if not grant:
            raise Astray(f"no choice of devices on {where}:\n{page.text}")
        where = _redirected(browser.post(where, {"grant": grant[1] or grant[2]}))
        page = browser.get(where)
    if where != "/":
        page = browser.post(where, {"response": person.answer(_question(page))})
        where = _redirected(page)
        page = browser.get(where)
    if where != "/" or page.status != 200:
        raise Astray(f"logged in, and came to {where} ({page.status})")
    return page


def share(browser: Browser, pair: Pair) -> Page:
    """The share wizard of a logged-in requester: from the list's Share Device to the status."""
    browser.get(HOME + "share/")
    page = browser.post(HOME + "share/", {"username": pair.owner.username, "password": PASSWORD})
    where = _redirected(page)
    page = browser.get(where)
    where = _redirected(browser.post(where, {"response": pair.owner.answer(_question(page))}))
    browser.get(where)
    page = browser.get(_redirected(browser.post(where, {})))
    if 'data-status="enforced"' not in page.text:
        raise Astray(page.text)
    return page


def _redirected(page: Page) -> str:
    if page.status not in (302, 303):
        raise Astray(f"{page.path} answered {page.status}:\n{page.text}")
    return page.location


def _question(page: Page) -> str:
    found = re.search(r'id="(?:challenge-code|index-numbers)"[^>]*>([^<]+)<', page.text)
    if not found:
        raise Astray(f"no security element on {page.path}:\n{page.text}")
    return found[1].strip()
