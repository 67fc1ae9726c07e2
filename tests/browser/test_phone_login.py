"""The phone app and the portal together: activation, logins by push, passcodes without a network, recovery."""

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.serving import Portal, press, user

from .conftest import Visit
from .holder import PIN, Holder
from .test_phone_app import ANDROID, IPHONE
from .visitor import Visitor

pytestmark = pytest.mark.browser

IS_HOME = re.compile(r"^http://localhost:\d+/$")


@pytest.fixture
def hold(visit: Visit, portal: Portal):
    """Opens a phone of its own."""

    def take(**options) -> Holder:
        visitor = visit(width=360, **{"user_agent": ANDROID, **options})
        holder = Holder(visitor.context)
        holder.visitor = visitor
        holder.portal = portal
        return holder

    return take


def token_of_the_sms(portal: Portal, *, seconds: float = 15) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        sent = [m for m in portal.messages() if m["channel"] == "sms"]
        if sent:
            newest = max(sent, key=lambda message: message["sent_at"])
            return re.search(r"\b(\d{6})\b", newest["text"])[1]
        time.sleep(0.1)
    raise AssertionError("no SMS came")


def forget_sms(portal: Portal) -> None:
    for file in (portal.var / "messages").glob("*.json"):
        file.unlink()


def activate(holder: Holder, plays: str = "no_device") -> None:
    who = user(plays)
    holder.open().is_on("start")
    holder.do("register")
    holder.to_code(who["username"], who["password"])
    holder.fill(code=token_of_the_sms(holder.portal))
    finish(holder)


def finish(holder: Holder, pin: str = PIN) -> None:
    """From the Activation Code to the first screen, on either platform."""
    if not holder.page.locator("#screen [name=pin]").count():
        holder.submit()
        holder.is_on("element")
    if holder.page.locator("#screen [name=pin]").count():
        holder.fill(pin=pin)
    holder.submit()
    holder.is_on("done")
    holder.do("done")
    holder.is_on("home")


def to_push(visitor: Visitor, plays: str) -> None:
    visitor.go("/login/")
    visitor.fill_in(plays)
    visitor.submit()
    if visitor.path == "/login/choose/":
        visitor.page.locator("label", has_text="IB Key").click()
        visitor.submit()
    assert visitor.path == "/login/push/"


def enter_number(visitor: Visitor, holder: Holder) -> None:
    number = visitor.page.locator("#prompt-number")
    if number.count():
        holder.fill(number=number.inner_text())


@pytest.mark.parametrize("agent", [ANDROID, IPHONE], ids=["android", "ios"])
def test_activate_a_phone_and_log_in_by_push(visit: Visit, hold, agent: str):
    holder = hold(user_agent=agent)
    holder.open()
    if agent == IPHONE:
        holder.authenticator()
    activate(holder)
    visitor = visit()
    to_push(visitor, "no_device")
    facts = holder.is_on("prompt").inner_text()  # at once: the open app hears of it
    assert "Client Portal" in facts
    assert user("no_device")["username"] in facts
    enter_number(visitor, holder)
    holder.submit()
    if agent == ANDROID:
        holder.is_on("pin")
        holder.fill(pin=PIN)
        holder.submit()
    assert holder.is_on("decided").get_attribute("data-state") == "approved"
    visitor.page.wait_for_url(IS_HOME)  # by itself
    visitor.go("/settings/user/secure-login/")
    assert visitor.page.locator("text=IB Key").count()


@pytest.mark.parametrize(("deed", "state"), [("deny", "denied"), ("cancel", "cancelled")])
def test_a_denied_login_ends(visit: Visit, hold, deed: str, state: str):
    holder = hold()
    activate(holder)
    visitor = visit()
    to_push(visitor, "no_device")
    holder.is_on("prompt")
    holder.do("deny")
    holder.is_on("deny")
    holder.do(deed)
    assert holder.is_on("decided").get_attribute("data-state") == state
    expect(visitor.page.locator("#login-push[data-state=waiting]")).to_have_count(0)
    visitor.go("/")
    assert visitor.path == "/login/"


def test_a_passcode_needs_neither_network_nor_server(visit: Visit, hold, chromium: Browser):
    """With a portal of its own, because that is stopped."""
    portal = Portal("sqlite", processes=1)
    try:
        context = chromium.new_context(
            base_url=f"http://localhost:{portal.port}",
            user_agent=ANDROID,
            viewport={"width": 360, "height": 740},
        )
        context.set_default_timeout(8_000)
        holder = Holder(context)
        holder.portal = portal
        activate(holder)
        holder.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        held = chromium.new_context(base_url=f"http://localhost:{portal.port}")
        visitor = Visitor(held)
        to_push(visitor, "no_device")
        visitor.click("main a[href='/login/challenge/']")
        question = visitor.question
        context.set_offline(True)
        holder.page.close()
        holder.page = context.new_page()  # the app is started anew in flight mode
        passcode = read_passcode(holder, question)
        visitor.respond(passcode)
        assert visitor.path == "/"
        held.close()
    finally:
        portal.stop()
    context.set_offline(False)
    holder.page.reload()
    assert read_passcode(holder, question) == passcode  # the server is gone
    holder.open()
    holder.do("settings")
    holder.is_on("settings")
    holder.page.locator("[data-language=zh-hans]").click()
    holder.page.wait_for_url("**/phone/zh-hans/")
    holder.is_on("home")
    assert holder.page.locator("html").get_attribute("lang") == "zh-hans"
    holder.page.goto("/phone/")
    holder.is_on("home")
    assert holder.page.locator("html").get_attribute("lang") == "zh-hans"
    kept = holder.page.evaluate(KEPT_ADDRESSES)
    assert {re.sub(r"\.[0-9a-f]{12}\.", ".", path) for path in kept} >= {
        "/phone/en/",
        "/static/phone/app.js",
    }
    assert [
        path for path in kept if not path.startswith(("/static/", "/phone/en/", "/phone/zh-hans/"))
    ] == []
    context.close()


KEPT_ADDRESSES = """async () => {
  const found = [];
  for (const name of await caches.keys()) {
    for (const request of await (await caches.open(name)).keys()) found.push(new URL(request.url).pathname);
  }
  return found;
}"""


def read_passcode(holder: Holder, question: str) -> str:
    holder.open().page.locator("#screen[data-screen=home]").wait_for()
    holder.do("authenticate")
    holder.is_on("challenge")
    holder.fill(challenge=question, pin=PIN)
    holder.submit()
    holder.is_on("response")
    return "".join(holder.page.locator("output").inner_text().split())


def test_a_second_phone_recovers_and_the_first_is_retired_at_once(
    visit: Visit, hold, portal: Portal
):
    first = hold()
    activate(first)
    forget_sms(portal)
    portal.sql("DELETE FROM portal_allowance")
    second = hold()
    who = user("no_device")
    second.open()
    second.do("register")
    second.do("continue")
    second.fill(username=who["username"], password=who["password"])
    second.submit()
    second.is_on("recover")
    second.do("yes")
    second.fill(pin="wrong")
    second.submit()
    second.is_on("number")
    second.submit()
    second.is_on("code")
    second.fill(code=token_of_the_sms(portal))
    second.submit()
    second.is_on("recovery-pin")
    assert second.refusal == "wrong_pin"
    second.visitor.complaints.clear()
    second.fill(pin=PIN)
    second.submit()
    second.is_on("code")  # with the code that was typed
    second.submit()
    second.is_on("done")
    second.do("done")

    first.page.reload()
    first.is_on("retired")
    first.visitor.complaints.clear()
    visitor = visit()
    to_push(visitor, "no_device")
    second.is_on("prompt")
    enter_number(visitor, second)
    second.submit()
    second.fill(pin=PIN)
    second.submit()
    second.is_on("decided")
    visitor.page.wait_for_url(IS_HOME)


def test_the_earlier_phone_agrees_by_a_passcode(hold, portal: Portal):
    first = hold()
    activate(first)
    forget_sms(portal)
    second = hold()
    who = user("no_device")
    second.open()
    second.do("register")
    second.do("continue")
    second.fill(username=who["username"], password=who["password"])
    second.submit()
    second.is_on("recover")
    second.do("no")
    second.is_on("agree")
    second.submit()
    second.is_on("agree-answer")
    question = "".join(second.page.locator(".figures").inner_text().split())
    second.fill(response=read_passcode(first, question))
    second.submit()
    second.is_on("number")
    second.submit()
    second.is_on("code")
    second.fill(code=token_of_the_sms(portal))
    finish(second, "0ther")


def test_a_username_with_a_device_is_added_with_its_agreement(hold, portal: Portal):
    holder = hold()
    activate(holder)
    forget_sms(portal)
    who = user("owner")
    holder.do("add")
    holder.is_on("instructions")
    holder.do("continue")
    holder.fill(username=who["username"], password=who["password"])
    holder.submit()
    holder.is_on("agree")
    holder.submit()
    holder.is_on("agree-answer")
    question = "".join(holder.page.locator(".figures").inner_text().split())
    holder.fill(response=press("owner", question))
    holder.submit()
    holder.is_on("number")
    holder.submit()
    holder.is_on("code")
    holder.fill(code=token_of_the_sms(portal))
    finish(holder)
    users = holder.page.locator("[data-users]").inner_text()
    assert who["username"] in users
    assert user("no_device")["username"] in users


@pytest.fixture(autouse=True)
def _as_before(portal: Portal) -> Iterator[None]:
    passwords = portal.sql("SELECT password, id FROM portal_user")
    yield
    for password, key in passwords:  # a denied login takes it away
        portal.sql("UPDATE portal_user SET password = ? WHERE id = ?", password, key)
    portal.reset(sessions=True)
