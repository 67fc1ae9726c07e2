"""Events and browsers in plain words."""

import pytest

from sls import events
from sls.activity.rules import WORDS, event_in_words
from sls.browsers import browser_in_words

SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (SAFARI, "Safari, iOS"),
        (CHROME, "Chrome, Windows"),
        (CHROME + " Edg/140.0", "Edge, Windows"),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox, Linux",
        ),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36", "Chrome, Android"),
        ("curl/8.0", ""),
        ("<script>alert(1)</script>", ""),
        ("", ""),
    ],
)
def test_a_browser_is_named_from_its_header(header, words):
    assert browser_in_words(header) == words


def test_every_event_of_the_app_has_words():
    names = {value for name, value in vars(events).items() if name.isupper()}
    assert names <= set(WORDS)


def test_a_refused_event_says_so_and_an_unknown_one_shows_its_name():
    assert "refused" in event_in_words(events.LOGIN_COMPLETED, refused=True)
    assert event_in_words("sls.something.new", refused=False) == "sls.something.new"
