"""Headers, request ids, idle sessions, refusals as pages."""

import uuid
from datetime import timedelta
from importlib import import_module

import pytest
from django.conf import settings as project
from django.contrib.messages.storage import default_storage
from django.http import HttpResponse
from django.test import Client, RequestFactory

from portal import middleware
from portal.errors import Reason, Refused
from portal.middleware import HEADERS, IdleSessions, Refusals
from tests.conftest import NOW


class Nope(Reason):
    NO = ("no_way", "No <way>", "It is not allowed.", "Do something else.")


# --- Headers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/login/", 200),
        ("get", "/settings/", 302),
        ("get", "/no/such/page/", 404),
        ("get", "/logout/", 405),
        ("get", "/health/live/", 200),
        ("post", "/login/", 403),
    ],
)
def test_every_answer_carries_the_headers_and_is_not_stored(db, method, path, status):
    answer = getattr(Client(enforce_csrf_checks=True), method)(path)
    assert answer.status_code == status
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "no-store" in answer.headers["Cache-Control"]


def test_a_foreign_host_is_refused_with_the_headers():
    answer = Client().get("/login/", headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert answer.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]


def test_a_header_that_a_view_has_set_stays():
    def view(request):
        return HttpResponse(headers={"Referrer-Policy": "no-referrer"})

    answer = middleware.Headers(view)(RequestFactory().get("/"))
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_static_files_may_be_stored():
    answer = middleware.Headers(lambda request: HttpResponse())(
        RequestFactory().get(project.STATIC_URL + "css/portal.css")
    )
    assert "Cache-Control" not in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_policy_allows_nothing_inline_and_no_frame():
    policy = dict(part.split(" ", 1) for part in HEADERS["Content-Security-Policy"].split("; "))
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert "*" not in HEADERS["Content-Security-Policy"]
    for name in ("default-src", "object-src", "base-uri", "frame-ancestors"):
        assert policy[name] == "'none'"
    assert policy["form-action"] == policy["script-src"] == "'self'"


# --- Request ids ------------------------------------------------------------------------------------


def test_every_request_has_an_id_of_its_own_which_nobody_can_choose():
    seen = []
    name = middleware.RequestId(lambda request: seen.append(request.id) or HttpResponse())
    for _ in range(3):
        name(RequestFactory().get("/", headers={"X-Request-Id": "chosen"}))
    assert len({uuid.UUID(request_id) for request_id in seen}) == 3


# --- Idle sessions ----------------------------------------------------------------------------------


class Clock:
    now = NOW


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()

    class Timezone:
        @staticmethod
        def now():
            return clock.now

    monkeypatch.setattr(middleware, "timezone", Timezone)
    return clock


@pytest.fixture
def visit(db, clock):
    """Ask for a page in one session; its data afterwards, and whether the page wrote to it."""
    store = import_module(project.SESSION_ENGINE).SessionStore()

    def go(after, **data):
        clock.now += after
        request = RequestFactory().get("/")
        request.session = store
        request._messages = default_storage(request)
        store.update(data)
        store.modified = False
        request.user = None
        IdleSessions(lambda request: HttpResponse())(request)
        return dict(store.items()), store.modified

    return go


SIGNED_IN = {"_auth_user_id": "1"}
SECONDS = timedelta(seconds=1)


def test_a_session_is_marked_when_first_seen(visit):
    data, _ = visit(0 * SECONDS, **SIGNED_IN)
    assert data["seen_at"] == NOW.isoformat()


def test_the_mark_is_written_at_most_once_a_minute(visit):
    visit(0 * SECONDS, **SIGNED_IN)
    marks = {"seen_at": NOW.isoformat(), "started_at": NOW.isoformat()}
    assert visit(60 * SECONDS) == (SIGNED_IN | marks, False)
    data, written = visit(1 * SECONDS)
    assert written
    assert data["seen_at"] == (NOW + 61 * SECONDS).isoformat()


def test_a_session_lives_as_long_as_it_is_used(visit, settings):
    visit(0 * SECONDS, **SIGNED_IN)
    for _ in range(5):
        data, _ = visit(settings.SESSION_IDLE)
        assert data["_auth_user_id"] == "1"


def test_a_session_that_nobody_used_for_longer_ends_with_everything_in_it(visit, settings):
    visit(0 * SECONDS, **SIGNED_IN, other="thing")
    assert visit(settings.SESSION_IDLE + SECONDS)[0] == {}


def test_a_session_ends_when_it_is_old_however_much_it_is_used(visit, settings):
    visit(0 * SECONDS, **SIGNED_IN)
    step = settings.SESSION_IDLE - SECONDS
    for _ in range(settings.SESSION_LIFE // step):
        assert visit(step)[0]["started_at"] == NOW.isoformat()
    assert visit(step)[0] == {}


def test_a_session_without_a_login_is_not_touched(visit, settings):
    assert visit(0 * SECONDS, login="half done") == ({"login": "half done"}, False)
    assert visit(2 * settings.SESSION_IDLE) == ({"login": "half done"}, False)


def test_an_idle_session_leads_to_the_login_page(log_in, clock, settings):
    client = log_in("owner")
    clock.now = middleware.datetime.fromisoformat(client.session["seen_at"])
    assert client.get("/settings/").status_code == 200
    clock.now += settings.SESSION_IDLE + SECONDS
    assert client.get("/settings/").status_code == 302
    clock.now -= settings.SESSION_IDLE
    assert client.get("/settings/").status_code == 302


# --- Refusals ---------------------------------------------------------------------------------------


def test_a_refusal_nobody_caught_becomes_a_page_with_its_code():
    request = RequestFactory().get("/")
    page = Refusals(lambda request: HttpResponse()).process_exception(request, Refused(Nope.NO))
    html = page.content.decode()
    assert page.status_code == 409
    assert 'role="alert"' in html
    assert 'data-code="no_way"' in html
    assert "No &lt;way&gt;" in html


def test_the_facts_of_a_refusal_are_not_shown():
    request = RequestFactory().get("/")
    refused = Refused(Nope.NO, username="a.name.of.somebody")
    page = Refusals(lambda request: HttpResponse()).process_exception(request, refused)
    assert "a.name.of.somebody" not in page.content.decode()


def test_any_other_error_is_left_alone():
    request = RequestFactory().get("/")
    assert Refusals(lambda request: HttpResponse()).process_exception(request, ValueError()) is None
