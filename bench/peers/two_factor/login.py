"""Four requests: password page, password (answered by the code page), code, home page."""

from bench.browser import Browser
from bench.peers.credentials import PASSWORD, code_of

PAGE = "/account/login/"
STEP = "login_view-current_step"


def log_in(browser: Browser, name: str) -> None:
    browser.get(PAGE)
    page = browser.post(PAGE, {STEP: "auth", "auth-username": name, "auth-password": PASSWORD})
    assert "token-otp_token" in page.text, page
    page = browser.post(PAGE, {STEP: "token", "token-otp_token": code_of(name)})
    assert page.location == "/", page
    page = browser.get("/")
    assert page.status == 200, page
    assert name in page.text, page
