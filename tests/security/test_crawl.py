"""Every address of the resolver: without a login, and with only half of one (abuse-cases.md B 17)."""

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from portal.middleware import HEADERS
from sls.models import DeviceGrant
from tests.conftest import PLAYS, password, person

pytestmark = pytest.mark.usefixtures("on_stage")
VALUES = {"uuid": str(uuid.UUID(int=7)), "int": "1", "slug": "kb2481", "str": "x", "path": "x"}
# What answers without a finished login, and why that is all right.
OPEN = re.compile(
    r"/login/.*"  # the login itself
    r"|/logout/"
    r"|/language/"
    r"|/health/.*"
    r"|/help/.*"  # the public help centre
    r"|/demo/.*"  # demo mode only
    r"|/phone/.*"  # the phone app proves itself by its own key
    r"|/events/.*"  # a signed token names what it may hear
    r"|/settings/user/secure-login/share/undo/x/"  # a signed link
    r"|/settings/user/not-me/x/"  # a signed link
    r"|/settings/user/password/forgot/(sent/)?"  # says the same to everybody
    r"|/settings/user/password/reset/link/x/"  # a signed link
    r"|/settings/user/password/reset/(choose|device|new)/"  # only in the browser that opened the link
)


def addresses(patterns=None, prefix="/") -> Iterator[str]:
    for found in patterns or get_resolver().url_patterns:
        path = prefix + _concrete(str(found.pattern))
        if isinstance(found, URLResolver):
            yield from addresses(found.url_patterns, path)
        elif isinstance(found, URLPattern):
            yield path


def _concrete(pattern: str) -> str:
    pattern = re.sub(r"<(\w+):\w+>", lambda match: VALUES[match[1]], pattern)
    pattern = re.sub(r"<\w+>", "x", pattern)
    pattern = re.sub(r"\(\?P<app_label>([a-z_]+)[^)]*\)", r"\1", pattern)
    pattern = re.sub(r"\(\?P<\w+>[^)]*\)", "x", pattern)
    return pattern.replace("^", "").replace("$", "").replace("\\", "")


EVERYWHERE = sorted(set(addresses()))


def test_the_crawl_knows_the_addresses():
    assert len(EVERYWHERE) > 40
    assert {"/", "/admin/", "/settings/user/secure-login/share/"} <= set(EVERYWHERE)


def half_logged_in() -> Client:
    client = Client(raise_request_exception=False)
    page = client.post(
        "/login/", {"username": PLAYS["owner"].username, "password": password("owner")}
    )
    assert page.status_code == 302, page.content.decode()
    return client


def is_alive(client: Client) -> bool:
    return "login" in client.session


@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "options"])
@pytest.mark.parametrize("half", [True, False], ids=["half", "anonymous"])
def test_nothing_but_the_login_answers_without_both_factors(half: bool, method: str):
    client = half_logged_in() if half else Client(raise_request_exception=False)
    wrong = {}
    for path in EVERYWHERE:
        if half and not is_alive(client):
            client = half_logged_in()
        page = getattr(client, method)(path)
        if page.status_code >= 500 or not _is_proper(path, page):
            wrong[path] = (page.status_code, page.headers.get("Location"))
        missing = [name for name in HEADERS if name not in page.headers]
        if missing or "no-store" not in page.headers.get("Cache-Control", ""):
            wrong[path] = ("headers", missing)
    assert wrong == {}
    assert not DeviceGrant.objects.filter(last_used_at__isnull=False).exists()


def _is_proper(path: str, page) -> bool:
    if OPEN.fullmatch(path) or page.status_code in (401, 403, 404, 405):
        return True
    location = page.headers.get("Location", "")
    if path == "/admin/logout/":
        return location == "/admin/"  # which asks for a login in turn
    return page.status_code == 302 and location.startswith(("/login/?", "/admin/login/?"))


@pytest.mark.parametrize("path", [p for p in EVERYWHERE if p.startswith("/admin/")])
def test_no_admin_page_opens_to_staff_without_a_strong_device_in_this_session(path: str):
    client = Client()
    client.force_login(person("administrator"), backend="portal.backends.EntityBackend")
    page = client.get(path)
    assert page.status_code in (302, 404), page.status_code
    if page.status_code == 302:
        assert page.url.startswith(("/admin/login/", "/login/")) or page.url in ("/", "/admin/")


def test_the_admin_asks_for_a_device_that_admits_staff(log_in):
    client = log_in("administrator")
    assert client.get("/admin/").status_code == 200
    card = DeviceGrant.objects.get(device__kind="code_card")
    session = client.session
    DeviceGrant.objects.filter(pk=card.pk).update(user=person("administrator"))
    session["otp_device_id"] = DeviceGrant.objects.get(pk=card.pk).persistent_id
    session.save()
    assert client.get("/").status_code == 200
    assert client.get("/admin/").status_code == 302


def test_a_client_who_is_no_staff_finds_no_admin(log_in):
    client = log_in("owner")
    for path in EVERYWHERE:
        if path.startswith("/admin/"):
            assert client.get(path).status_code in (302, 403, 404), path


def test_admin_login_leads_to_the_portals_own(client: Client):
    page = client.get("/admin/login/?next=/admin/portal/user/")
    assert page.url == "/login/?next=/admin/portal/user/"


def test_a_right_staff_password_alone_opens_nothing():
    client = Client()
    who = PLAYS["officer"]
    client.post("/login/?next=/admin/", {"username": who.username, "password": who.password})
    assert client.get("/admin/").status_code == 302
    assert client.get("/").status_code == 302


@pytest.mark.parametrize("hours", [0.3, 9])
def test_an_idle_session_ends(log_in, hours: float, settings):
    client = log_in("owner")
    session = client.session
    session["seen_at"] = (timezone.now() - timedelta(hours=hours)).isoformat()
    session.save()
    assert client.get("/").status_code == 302
    assert not session.exists(session.session_key)
