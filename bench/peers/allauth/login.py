"""Five requests: password page, password, code page, code, home page."""

from bench.browser import Browser
from bench.peers.credentials import PASSWORD, code_of

PASSWORD_PAGE = "/accounts/login/"
CODE_PAGE = "/accounts/2fa/authenticate/"


def log_in(browser: Browser, name: str) -> None:
    browser.get(PASSWORD_PAGE)
    page = browser.post(PASSWORD_PAGE, {"login": name, "password": PASSWORD})
    assert page.location == CODE_PAGE, page
    browser.get(CODE_PAGE)
    page = browser.post(CODE_PAGE, {"code": code_of(name)})
    assert page.location == "/", page
    page = browser.get("/")
    assert page.status == 200, page
    assert name in page.text, page
