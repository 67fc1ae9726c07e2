"""The devices of the demo page, as the help describes them."""

import pytest

from .conftest import Visit
from .visitor import OnScreenDsc

pytestmark = pytest.mark.browser


def test_five_wrong_pins_lock_the_card_also_after_a_reload(visit: Visit):
    page = visit().page
    card = OnScreenDsc(page, "owner")
    card.press("press")
    for _ in range(5):
        assert card.state != "locked"
        card.wrong_pin()
    assert card.state == "locked"
    page.reload()
    card.press("press")
    assert card.state == "locked"
    assert OnScreenDsc(page, "stranger").state == "off"  # the others are untouched
    card = OnScreenDsc(page, "owner")
    card.press("press")
    assert card.state == "locked"
    card.press("reset")
    card.press("press")
    assert card.state == "pin"


def test_a_right_pin_forgets_the_wrong_ones(visit: Visit):
    page = visit().page
    card = OnScreenDsc(page, "owner")
    card.press("press")
    for _ in range(4):
        card.wrong_pin()
    for key in (*card.pin, "ok"):
        card.press(key)
    assert card.state == "challenge"
    page.reload()
    card.press("press")
    card.wrong_pin()
    assert card.state == "wrong-pin"
