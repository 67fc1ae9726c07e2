"""What is left when something breaks: a page with a reference, and nothing else (abuse-cases.md 164)."""

import re
import uuid

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client

from portal.pages import broken
from tests.security.test_crawl import EVERYWHERE

WORDS = "a secret that stood in the exception"


class Raises:
    """Middleware that breaks before the view does anything."""

    error: Exception = RuntimeError(WORDS)

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_view(self, request, *view):
        raise self.error


class RaisesOutside(Raises):
    """Middleware that breaks before the address is known."""

    def __call__(self, request):
        raise self.error


HERE = "tests.portal.pages.test_broken."


@pytest.fixture
def broken_client(settings, db, monkeypatch):
    def build(error, kind="Raises"):
        monkeypatch.setattr(Raises, "error", error)
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, HERE + kind]
        return Client(raise_request_exception=False)

    return build


def test_every_address_breaks_into_a_plain_page_with_a_reference(broken_client, caplog):
    client = broken_client(RuntimeError(WORDS))
    for path in EVERYWHERE:
        answer = client.get(path)
        html = answer.content.decode()
        assert answer.status_code == 500, path
        reference = re.search(r'<code class="ref">([^<]+)</code>', html)
        assert reference, path
        assert uuid.UUID(reference[1])
        assert WORDS not in html
        assert "Traceback" not in html
        assert "no-store" in answer.headers["Cache-Control"]
        assert "Content-Security-Policy" in answer.headers
    assert WORDS in caplog.text  # which the log has


@pytest.mark.parametrize("kind", ["Raises", "RaisesOutside"])
@pytest.mark.parametrize(
    "error",
    [
        OperationalError("database is locked"),
        OperationalError("canceling statement due to lock timeout"),
        InterfaceError("connection already closed"),
    ],
)
def test_a_database_without_time_is_503_and_says_when_to_come_again(broken_client, error, kind):
    answer = broken_client(error, kind).get("/login/")
    html = answer.content.decode()
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == str(broken.RETRY_AFTER)
    assert "We are busy" in html
    assert str(error) not in html


def test_the_page_is_in_the_visitors_language(broken_client):
    answer = broken_client(OperationalError("x")).get("/login/", headers={"accept-language": "zh"})
    assert 'lang="zh-hans"' in answer.content.decode()
    assert "We are busy" not in answer.content.decode()


def test_even_a_broken_page_has_its_reference(broken_client, monkeypatch):
    def broken_too(*args):
        raise ValueError(WORDS)

    monkeypatch.setattr(broken, "render_to_string", broken_too)
    answer = broken_client(RuntimeError(WORDS)).get("/login/")
    assert answer.status_code == 500
    assert re.search(r"[0-9a-f-]{36}", answer.content.decode())
    assert WORDS not in answer.content.decode()
