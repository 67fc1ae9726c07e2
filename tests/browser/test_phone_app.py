"""The phone app against a small stand-in for the portal's side: every path, also those that seldom happen."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from .conftest import Visit
from .fake_phone_api import CODE, FakePhoneApi
from .holder import PIN, Holder
from .test_pages import Weights, violations
from .visitor import PATIENCE

pytestmark = pytest.mark.browser

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15"
ANDROID = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36"
MEI = {"mei.lantern": "Mei Lantern", "mei.office": "Mei Lantern", "otto": "Otto Wren"}
RIGHT = "right password"


def phone(visit: Visit, api: FakePhoneApi, **options) -> Holder:
    visitor = visit(width=360, **{"user_agent": ANDROID, **options})
    api.serve(visitor.context)
    holder = Holder(visitor.context)
    holder.visitor = visitor
    return holder


def activate(holder: Holder, username: str = "mei.lantern", pin: str = PIN) -> None:
    holder.open().is_on("start")
    holder.do("register")
    holder.to_code(username, RIGHT)
    holder.fill(code=CODE, pin=pin)
    holder.submit()
    holder.is_on("done")
    holder.do("done")
    holder.is_on("home")


def test_android_activates_with_the_pin_on_the_screen_of_the_code(visit: Visit):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api)
    activate(holder)
    assert api.activated["pin"] == PIN
    assert api.number == {"number": "n1"}  # the default, preselected
    assert "mei.lantern" in holder.page.locator("[data-users]").inner_text()


def test_the_screen_of_the_code_tells_what_became_of_the_message(visit: Visit):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api)
    holder.open().is_on("start")
    holder.do("register")
    holder.to_code("mei.lantern", RIGHT)
    holder.page.locator("[data-standing=delivered]").wait_for()
    assert holder.page.locator("[data-standing]").inner_text() == "Delivered."
    advice = holder.page.locator("[data-country-advice] li")
    assert advice.text_content() == "Advice."
    asked = api.calls.count("POST activation/message")
    holder.page.wait_for_timeout(4500)
    assert (
        api.calls.count("POST activation/message") == asked == 1
    )  # what is final is not asked again


def test_an_iphone_asks_for_the_security_element_on_a_screen_of_its_own(visit: Visit):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api, user_agent=IPHONE)
    holder.open()
    holder.authenticator()
    holder.do("register")
    holder.to_code("mei.lantern", RIGHT)
    assert holder.page.locator("[name=pin]").count() == 0
    holder.fill(code=CODE)
    holder.submit()
    holder.is_on("element")
    holder.fill(pin=PIN)
    holder.submit()
    holder.is_on("done")
    assert api.activated["webauthn"]["type"] == "public-key"
    assert api.activated["webauthn"]["clientExtensionResults"] == {}
    holder.do("bind")
    holder.page.locator("[data-bind]").wait_for(state="detached")
    holder.do("done")

    api.ask("mei.lantern")
    holder.page.reload()
    holder.is_on("prompt")
    holder.submit()
    holder.is_on("decided")
    assert api.decisions[0]["by"] == "webauthn"
    holder.do("done")

    holder.is_on("home")
    holder.do("authenticate")
    holder.is_on("challenge")
    holder.fill(challenge="204 718")
    holder.submit()
    holder.is_on("response")
    assert shown_passcode(holder) == api.response("mei.lantern", "204718")


def shown_passcode(holder: Holder) -> str:
    return "".join(holder.page.locator("output").inner_text().split())


def test_a_finger_that_is_not_recognised_leads_to_the_pin(visit: Visit):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api)
    holder.open()
    recognise = holder.authenticator()
    holder.do("register")
    holder.to_code("mei.lantern", RIGHT)
    holder.fill(code=CODE, pin=PIN)
    holder.submit()
    holder.is_on("done")
    holder.do("done")
    recognise(False)
    api.ask("mei.lantern")
    holder.page.reload()
    holder.is_on("prompt")
    holder.submit()
    holder.is_on("pin")
    assert holder.refusal == "not_confirmed"
    holder.fill(pin=PIN)
    holder.submit()
    holder.is_on("decided")
    assert api.decisions[0]["by"] == "pin"


def test_without_prf_a_passcode_still_asks_for_the_pin(visit: Visit):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api)
    holder.open()
    holder.authenticator(prf=False)
    holder.do("register")
    holder.to_code("mei.lantern", RIGHT)
    holder.fill(code=CODE, pin=PIN)
    holder.submit()
    holder.is_on("done")
    assert holder.page.locator("[data-bind]").count() == 0
    holder.do("done")
    holder.do("authenticate")
    holder.is_on("challenge")
    holder.fill(challenge="000000", pin=PIN)
    holder.submit()
    holder.is_on("response")
    assert shown_passcode(holder) == api.response("mei.lantern", "000000")


def test_a_wrong_pin_makes_a_wrong_passcode_and_nothing_on_the_phone_tells(visit: Visit):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api)
    activate(holder)
    before = len(api.calls)
    holder.do("authenticate")
    holder.fill(challenge="204718", pin="wrong")
    holder.submit()
    holder.is_on("response")
    assert shown_passcode(holder) != api.response("mei.lantern", "204718")
    # The app asks for what waits by its clock, whatever its user does.
    assert set(api.calls[before:]) <= {"GET prompts"}


def test_five_wrong_pins_freeze_the_phone_also_over_a_restart(visit: Visit):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api)
    activate(holder)
    api.ask("mei.lantern")
    for tries in (4, 3, 2, 1):
        holder.page.reload()
        holder.is_on("prompt")
        holder.submit()
        holder.is_on("pin")
        holder.fill(pin="wrong")
        holder.submit()
        assert holder.refusal == "wrong_pin"
        assert str(tries) in holder.page.locator("[data-refusal]").inner_text()
    holder.visitor.complaints.clear()
    holder.submit()
    holder.is_on("frozen")
    holder.page.reload()
    holder.is_on("frozen")
    assert api.decisions == []
    holder.visitor.complaints.clear()


def test_the_number_of_the_login_page_is_typed_and_goes_into_what_is_signed(visit: Visit):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api)
    activate(holder)
    api.ask("mei.lantern", number="42")
    holder.page.reload()
    holder.is_on("prompt")
    holder.submit()
    assert holder.refusal == "empty"
    holder.fill(number="41")
    holder.submit()
    holder.is_on("pin")
    holder.fill(pin=PIN)
    holder.submit()
    holder.is_on("prompt")
    assert holder.refusal == "wrong_number"
    holder.fill(number="42")
    holder.submit()
    holder.fill(pin=PIN)
    holder.submit()
    assert holder.is_on("decided").get_attribute("data-state") == "approved"
    assert api.decisions[0]["number"] == "42"
    holder.visitor.complaints.clear()


@pytest.mark.parametrize(
    ("deed", "decision", "state"), [("deny", "deny", "denied"), ("cancel", "cancel", "cancelled")]
)
def test_denying_needs_no_pin_and_tells_a_stranger_from_a_change_of_mind(
    visit: Visit, deed, decision, state
):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api)
    activate(holder)
    api.ask("mei.lantern")
    holder.page.reload()
    holder.is_on("prompt")
    holder.do("deny")
    holder.is_on("deny")
    holder.do(deed)
    assert holder.is_on("decided").get_attribute("data-state") == state
    assert api.decisions[0]["decision"] == decision


def test_a_login_that_comes_while_the_app_is_open_is_shown_at_once(visit: Visit):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api)
    activate(holder)
    api.ask("mei.lantern")
    holder.is_on("prompt")  # the fake has no events: the app asks again by itself
    holder.do("back")
    holder.is_on("home")
    assert "Firefox" in holder.page.locator("[data-waits]").inner_text()


def test_a_login_that_has_expired_says_so(visit: Visit):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api)
    activate(holder)
    api.ask("mei.lantern", seconds=1)
    holder.page.reload()
    holder.is_on("prompt")
    assert holder.is_on("decided").get_attribute("data-state") == "prompt_over"


def test_what_the_portal_says_is_text_and_never_markup(visit: Visit):
    bad = "<img src=x onerror=alert(1)><b>bold"
    api = FakePhoneApi(MEI | {"mei.lantern": bad})
    holder = phone(visit, api)
    activate(holder)
    api.ask("mei.lantern", place=bad, browser=bad, brand=bad)
    holder.page.reload()
    facts = holder.is_on("prompt").locator(".facts")
    assert facts.inner_text().count(bad) == 4
    assert facts.locator("img, dd b:not([data-fill])").count() == 0


def test_two_usernames_share_the_phone_and_its_pin(visit: Visit):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api)
    activate(holder)
    holder.do("add")
    holder.to_code("mei.office", RIGHT)
    holder.fill(code=CODE, pin="wrong")
    holder.submit()
    assert holder.refusal == "wrong_pin"
    holder.fill(pin=PIN)
    holder.submit()
    holder.is_on("done")
    assert "pin" not in api.activated
    assert "public_key" not in api.activated
    holder.do("done")
    people = holder.is_on("home").locator(".person")
    assert people.count() == 1  # one person's several usernames
    assert people.locator("li").all_inner_texts() == ["mei.lantern", "mei.office"]
    holder.do("authenticate")
    holder.is_on("choose-user").locator("button", has_text="mei.office").click()
    holder.fill(challenge="123456", pin=PIN)
    holder.submit()
    holder.is_on("response")
    assert shown_passcode(holder) == api.response("mei.office", "123456")
    holder.visitor.complaints.clear()


def test_a_wrong_code_is_corrected_where_it_was_typed(visit: Visit):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api, user_agent=IPHONE)
    holder.open()
    holder.do("register")
    holder.to_code("mei.lantern", RIGHT)
    holder.fill(code="12")
    holder.submit()
    assert holder.refusal == "code_short"
    holder.fill(code="111111")
    holder.submit()
    holder.is_on("element")
    holder.fill(pin="birth")
    holder.submit()
    holder.is_on("code")
    assert holder.refusal == "wrong_code"
    holder.fill(code=CODE)
    holder.submit()
    holder.is_on("element")
    holder.fill(pin="birth")
    holder.submit()
    assert holder.refusal == "pin_not_safe"
    assert "date of birth" in holder.page.locator("[data-refusal]").inner_text()
    holder.visitor.complaints.clear()


def test_a_new_number_takes_digits_only_and_each_slip_has_its_hint(visit: Visit):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api)
    holder.open()
    holder.do("register")
    holder.is_on("instructions")
    holder.do("continue")
    holder.fill(username="mei.lantern", password=RIGHT)
    holder.submit()
    holder.is_on("number")
    holder.do("add")
    holder.is_on("add-number")
    hints = set()
    for typed in ("+6581234567", "8123 4567", "8123-4567", "081234567"):
        holder.fill(national=typed)
        hints.add(holder.page.locator("[data-hint=national]").inner_text())
        holder.submit()
        assert holder.refusal.startswith("number_")
    assert len(hints) == 4
    holder.page.locator("[name=country]").select_option("SG")
    holder.fill(national="81234567")
    holder.submit()
    holder.is_on("code")
    assert api.number == {"country": "SG", "national": "81234567"}


def test_recover_with_the_pin_of_the_earlier_phone(visit: Visit):
    api = FakePhoneApi(MEI, is_needed=True, pin_may_replace=True, may_wait=True)
    api.recovery_pin = PIN
    holder = phone(visit, api)
    holder.open()
    holder.do("register")
    holder.do("continue")
    holder.fill(username="mei.lantern", password=RIGHT)
    holder.submit()
    holder.is_on("recover")
    holder.do("yes")
    holder.is_on("recovery-pin")
    holder.fill(pin=PIN)
    holder.submit()
    holder.is_on("number")
    assert holder.page.locator("[name=number]:checked").get_attribute("value") == "n2"  # used first
    holder.submit()
    holder.is_on("code")
    holder.fill(code=CODE)
    holder.submit()
    holder.is_on("done")
    assert api.activated["recovery_pin"] == api.activated["pin"] == PIN


def test_without_the_pin_the_activation_waits_and_is_finished_later(visit: Visit):
    api = FakePhoneApi(MEI, is_needed=True, pin_may_replace=True, may_wait=True)
    holder = phone(visit, api)
    holder.open()
    holder.do("register")
    holder.do("continue")
    holder.fill(username="mei.lantern", password=RIGHT)
    holder.submit()
    holder.is_on("recover")
    holder.do("no")
    holder.is_on("agree")
    holder.do("wait")
    holder.is_on("number")
    holder.submit()
    holder.is_on("code")
    holder.fill(code=CODE, pin=PIN)
    holder.submit()
    holder.is_on("wait")
    assert api.activated["accepts_wait"] is True
    holder.page.reload()
    holder.is_on("wait")  # it is remembered
    holder.page.clock.install(time=datetime.now(UTC) + timedelta(hours=24, minutes=1))
    api.ready_at = datetime.now(UTC)
    holder.do("look")
    holder.page.locator("[data-do=activate]").click()
    holder.is_on("element")
    holder.fill(pin=PIN)
    holder.submit()
    holder.is_on("done")
    holder.do("done")
    holder.is_on("home")
    holder.visitor.complaints.clear()  # the clock was off at first


def test_another_device_agrees(visit: Visit):
    devices = [{"id": "31", "kind": "dsc_plus", "name": "DSC+", "serial": "••• 042"}]
    api = FakePhoneApi(MEI, is_needed=True, devices=devices)
    holder = phone(visit, api)
    holder.open()
    holder.do("register")
    holder.do("continue")
    holder.fill(username="mei.lantern", password=RIGHT)
    holder.submit()
    holder.is_on("agree")
    holder.submit()
    assert "204718" in "".join(holder.is_on("agree-answer").inner_text().split())
    holder.fill(response="31459265")
    holder.submit()
    holder.is_on("number")


def test_change_the_pin(visit: Visit):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api)
    activate(holder)
    holder.do("settings")
    holder.is_on("settings")
    holder.do("pin")
    holder.is_on("old-pin")
    holder.fill(pin=PIN)
    holder.submit()
    holder.is_on("new-pin")
    holder.fill(pin="n3w?5")
    holder.submit()
    holder.is_on("settings")
    holder.do("back")
    holder.do("authenticate")
    holder.fill(challenge="204718", pin="n3w?5")
    holder.submit()
    holder.is_on("response")
    assert shown_passcode(holder) == api.response("mei.lantern", "204718")
    holder.do("done")
    api.ask("mei.lantern")
    holder.is_on("prompt")
    holder.submit()
    holder.fill(pin="n3w?5")
    holder.submit()
    holder.is_on("decided")


def test_a_pin_whose_change_was_taken_while_the_answer_got_lost_still_works(visit: Visit):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api)
    activate(holder)
    holder.do("settings")
    holder.do("pin")
    holder.fill(pin=PIN)
    holder.submit()
    holder.is_on("new-pin")
    api.loses_answer_to = "/pin"
    holder.fill(pin="n3w?5")
    holder.submit()
    assert holder.refusal == "offline"
    holder.submit()
    holder.is_on("settings")
    holder.do("back")
    api.ask("mei.lantern")
    holder.is_on("prompt")
    holder.submit()
    holder.fill(pin="n3w?5")
    holder.submit()
    holder.is_on("decided")
    holder.visitor.complaints.clear()


def test_a_retired_phone_erases_its_keys_and_offers_to_register(visit: Visit):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api)
    activate(holder)
    api.state = "retired"
    holder.page.reload()
    holder.is_on("retired")
    holder.page.reload()
    holder.is_on("start")
    holder.visitor.complaints.clear()


def test_a_push_message_says_nothing_and_its_notification_opens_the_app(visit: Visit):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api, permissions=["notifications"])
    activate(holder)
    holder.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    versions: dict[str, str] = {}
    cdp = holder.context.new_cdp_session(holder.page)
    cdp.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: versions.update(
            {one["scopeURL"]: one["registrationId"] for one in event["registrations"]}
        ),
    )
    cdp.send("ServiceWorker.enable")
    deadline = time.monotonic() + PATIENCE / 1000
    while not versions and time.monotonic() < deadline:
        holder.page.wait_for_timeout(50)  # the browser's events come meanwhile
    (scope, registration), *_others = versions.items()
    api.ask("mei.lantern")
    message = {"registrationId": registration, "data": '{"event": "look", "id": "prompt-0"}'}
    origin = scope.removesuffix("/phone/")
    cdp.send("ServiceWorker.deliverPushMessage", {"origin": origin, **message})
    holder.is_on("prompt")  # the open app looks at once
    shown = holder.page.evaluate(NOTIFICATIONS)
    assert shown == [{"title": "Login request", "body": "Open to see it.", "tag": "prompt-0"}]


NOTIFICATIONS = """async () => {
  const worker = await navigator.serviceWorker.ready;
  const all = await worker.getNotifications();
  return all.map(({ title, body, tag }) => ({ title, body, tag }));
}"""


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(visit: Visit, language: str):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api, language=language, reduced_motion="reduce")
    found = []
    for name in every_screen(holder, api):
        for scheme in ("light", "dark"):
            holder.page.emulate_media(color_scheme=scheme)
            found += [f"{name}, {scheme}: {line}" for line in violations(holder.page)]
        holder.page.emulate_media(color_scheme="light")
        for width in (320, 360):
            holder.page.set_viewport_size({"width": width, "height": 640})
            if holder.visitor.overflow > 0:
                found.append(f"{name} at {width}: {holder.visitor.overflow} px too wide")
        assert holder.page.evaluate("document.activeElement.matches('h1, input')"), name
    assert found == []
    holder.visitor.complaints.clear()


def every_screen(holder: Holder, api: FakePhoneApi) -> Iterator[str]:
    """Leads through the app; at each screen, its name."""
    devices = [{"id": "31", "kind": "dsc_plus", "name": "DSC+", "serial": "••• 042"}]
    agreement = {"is_needed": True, "pin_may_replace": True, "may_wait": True, "devices": devices}

    def on(name: str) -> str:
        holder.is_on(name)
        return name

    holder.open()
    yield on("start")
    holder.do("register")
    yield on("instructions")
    holder.do("continue")
    yield on("credentials")
    api.agreement = agreement
    holder.fill(username="mei.lantern", password=RIGHT)
    holder.submit()
    yield on("recover")
    holder.do("no")
    yield on("agree")
    holder.submit()
    yield on("agree-answer")
    holder.fill(response="31459265")
    holder.submit()
    yield on("number")
    holder.do("add")
    yield on("add-number")
    holder.fill(national="81234567")
    holder.submit()
    yield on("code")
    holder.fill(code="111111", pin=PIN)
    holder.submit()
    assert holder.refusal == "wrong_code"
    yield "code, refused"
    holder.fill(code=CODE, pin=PIN)
    holder.submit()
    yield on("done")
    holder.do("done")
    yield on("home")
    api.ask("mei.lantern", number="42")
    yield on("prompt")
    holder.do("deny")
    yield on("deny")
    holder.do("back")
    holder.is_on("prompt")
    holder.fill(number="42")
    holder.submit()
    yield on("pin")
    holder.fill(pin=PIN)
    holder.submit()
    yield on("decided")
    holder.do("done")
    holder.is_on("home")
    holder.do("authenticate")
    yield on("challenge")
    holder.fill(challenge="204718", pin=PIN)
    holder.submit()
    yield on("response")
    holder.do("done")
    holder.do("settings")
    yield on("settings")
    holder.do("erase")
    yield on("erase")
    api.state = "frozen"
    holder.page.reload()
    yield on("frozen")


def test_the_first_view_weighs_little(visit: Visit):
    visitor = visit(width=360)
    weight, _requests = Weights(visitor.page).of("/phone/", cache=False)
    assert weight < 60_000, (
        weight
    )  # the shell a second time for the service worker's cache included


def test_the_keys_cannot_be_read_out(visit: Visit):
    api = FakePhoneApi(MEI)
    holder = phone(visit, api)
    activate(holder)
    kept = holder.page.evaluate(KEPT)
    assert kept["extractable"] == [False, False]
    assert kept["exported"] == "InvalidAccessError"
    assert PIN not in kept["readable"]
    masked = bytes(int(pair, 16) for pair in kept["readable"].split("|")[1].split(","))
    assert masked != api.phone["pin_key"]


KEPT = """async () => {
  const database = await new Promise((done) => {
    const request = indexedDB.open("phone");
    request.onsuccess = () => done(request.result);
  });
  const phone = await new Promise((done) => {
    const asked = database.transaction("kept").objectStore("kept").get("phone");
    asked.onsuccess = () => done(asked.result);
  });
  const exported = await crypto.subtle.exportKey("pkcs8", phone.keys.privateKey).catch((e) => e.name);
  const bytes = Array.from(phone.pinKey, (byte) => byte.toString(16)).join(",");
  return {
    extractable: [phone.keys.privateKey.extractable, phone.secret.extractable],
    exported,
    readable: JSON.stringify(phone) + "|" + bytes,
  };
}"""
