"""Sessions, redirects, hosts, headers and bad input: abuse-cases.md G 137 to 158."""

import random
from urllib.parse import urljoin

import pytest
from django.test import Client
from django.urls import clear_url_caches
from django.utils import timezone

from portal.middleware import HEADERS
from portal.pages import views
from sls.models import DeviceGrant
from tests.conftest import PLAYS, LogIn, password, person, press, question_on

pytestmark = pytest.mark.usefixtures("on_stage")
ELSEWHERE = [
    "//evil.example", "///evil.example", "////evil.example", "/\\evil.example", "\\\\evil.example",
    "/\\/evil.example", "https:evil.example", "https:/evil.example", "https://evil.example",
    "http:///evil.example", "http:\\\\evil.example", "javascript:alert(1)", "JaVaScRiPt:alert(1)",
    "data:text/html,x", "vbscript:x", "%2f%2fevil.example", "/%0d%0aSet-Cookie:x=1",
    "/\r\nSet-Cookie: x=1", "@evil.example", ".evil.example", "evil.example", "/\t/evil.example",
    "\t//evil.example", " //evil.example", "/ /evil.example", "//evil.example@127.0.0.1",
    "//127.0.0.1:80@evil.example", "/\x00/evil.example", "https://testserver.evil.example",
    "///\\evil.example", "/.//evil.example/..//", "http://[::1]evil.example", "//\u3002evil.example",
]  # fmt: skip


def goes_elsewhere(page) -> bool:
    """Would a browser leave, or read a header of the attacker's?"""
    location = page.headers.get("Location", "")
    cleaned = "".join(c for c in location if c not in "\t\r\n").strip().replace("\\", "/")
    here = urljoin("http://testserver/language/", cleaned)
    return not here.startswith("http://testserver/") or "x" in page.cookies


@pytest.mark.parametrize("goal", ELSEWHERE, ids=[ascii(goal) for goal in ELSEWHERE])
def test_next_never_leads_elsewhere(goal: str):
    """G 145, at every place that redirects."""
    client = Client()
    who = {"username": PLAYS["no_device"].username, "password": password("no_device")}
    assert not goes_elsewhere(client.post("/login/", who | {"next": goal}))
    assert not goes_elsewhere(client.get("/login/", {"next": goal}))
    assert not goes_elsewhere(client.get("/login/confirm/", {"next": goal}))
    assert not goes_elsewhere(client.post("/language/", {"language": "en", "next": goal}))
    assert not goes_elsewhere(client.post("/language/", {"language": "en"}, HTTP_REFERER=goal))
    assert not goes_elsewhere(Client().get("/admin/login/", {"next": goal}))
    device = Client()
    who = {"username": PLAYS["owner"].username, "password": password("owner")}
    page = device.post("/login/", who | {"next": goal}, follow=True)
    answer = press("owner", question_on(page.content.decode()))
    assert not goes_elsewhere(device.post("/login/challenge/", {"response": answer}))


def test_next_leads_to_a_page_of_ours():
    who = {"username": PLAYS["no_device"].username, "password": password("no_device")}
    assert Client().post("/login/", who | {"next": "/settings/"}).url == "/settings/"


def test_every_step_of_a_login_has_a_session_of_its_own():
    """G 137 and G 139."""
    client = Client()
    who = {"username": PLAYS["owner"].username, "password": password("owner")}
    keys = []
    for _ in range(2):
        page = client.post("/login/", who, follow=True)
        keys.append(client.session.session_key)
        answer = press("owner", question_on(page.content.decode()))
        client.post("/login/challenge/", {"response": answer})
        keys.append(client.session.session_key)
    store = client.session
    client.post("/logout/")
    assert len(set(keys)) == 4
    assert not any(store.exists(key) for key in keys)
    for key in keys:
        replayed = Client()
        replayed.cookies["session"] = key
        assert replayed.get("/").status_code == 302
        assert "challenge-code" not in replayed.get("/login/challenge/").content.decode()


def test_a_planted_session_id_is_not_taken_over():
    client = Client()
    client.cookies["session"] = "a" * 40
    who = {"username": PLAYS["no_device"].username, "password": password("no_device")}
    client.post("/login/", who)
    assert client.cookies["session"].value != "a" * 40


@pytest.mark.parametrize("change", ["password", "inactive", "grant"])
def test_what_happens_in_one_session_ends_the_other_on_its_next_request(log_in: LogIn, change: str):
    """G 140."""
    client, other = log_in("owner"), log_in("owner")
    owner = person("owner")
    if change == "password":
        owner.set_password("another one 9")
    owner.is_active = change != "inactive"
    owner.save()
    if change == "grant":
        DeviceGrant.objects.filter(user=owner).update(
            state="ended", confirmed=False, ended_at=timezone.now()
        )
    for session in (client, other):
        assert session.get("/settings/user/secure-login/share/").status_code == 302


@pytest.mark.parametrize(
    "garbage", ["", "x", "é" * 10, "a" * 8192, '"\\000aaaaaaaaaaa"', "../../x" * 9]
)
def test_a_garbage_cookie_is_an_anonymous_visitor(garbage: str):
    """G 143. A quoted cookie may hold any octet, NUL too, which PostgreSQL refuses in a text."""
    client = Client(raise_request_exception=False)
    for name in ("session", "csrf", "messages", "django_language", "known"):
        page = client.get("/", headers={"cookie": f"{name}={garbage}; {name}={garbage}"})
        assert page.status_code == 302, name
        page = client.get("/login/", headers={"cookie": f"{name}={garbage}"})
        assert page.status_code == 200, name


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "testserver:x", "a b", ""]
)
def test_a_foreign_host_is_refused(host: str):
    """G 146."""
    page = Client(raise_request_exception=False).get("/login/", headers={"host": host})
    assert page.status_code == 400 or not host
    assert b"evil.example" not in page.content


def test_a_forwarded_host_is_not_read():
    page = Client().get("/settings/", headers={"x-forwarded-host": "evil.example"})
    assert "evil" not in page.url


def test_the_headers_stand_on_every_kind_of_answer(monkeypatch, settings):
    """G 149."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    pages = {
        200: client.get("/login/"),
        302: client.get("/"),
        403: client.post("/login/", {"username": "x"}),
        404: client.get("/nowhere/"),
        405: client.get("/logout/"),
        400: client.get("/login/", headers={"host": "evil.example"}),
    }
    monkeypatch.setattr(views, "is_ready", None)
    clear_url_caches()
    pages[500] = client.get("/health/ready/")
    for status, page in pages.items():
        assert page.status_code == status
        assert {name: page.headers.get(name) for name in HEADERS} == HEADERS
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    for directive in ("object-src 'none'", "base-uri 'none'", "form-action 'self'"):
        assert directive in policy


def test_the_headers_stand_on_json():
    page = Client().get("/health/live/")
    assert page["Content-Type"] == "application/json"
    assert {name: page.headers.get(name) for name in HEADERS} == HEADERS


@pytest.mark.parametrize("language", ["xx", "../etc", "en\r\nX: y", "zh-hans" * 50, "\x00"])
def test_only_languages_of_ours_are_taken(language: str):
    """G 157."""
    client = Client(raise_request_exception=False)
    assert client.post("/language/", {"language": language}).status_code == 302
    client.cookies["django_language"] = "xx"
    assert 'lang="en"' in client.get("/login/", {"language": language}).content.decode()


BAD_BODIES = {
    "NUL": (b"username=a%00b&password=%00&response=%00&grant=%00&choice=%00&next=/%00", None),
    "invalid UTF-8": (b"username=\xff\xfe&password=\xc3\x28&response=\xed\xa0\x80", None),
    "percent UTF-8": (b"username=%ff%fe&password=%c3%28&response=%ed%a0%80&next=%ff", None),
    "no pairs": (b"&&&===&%&%zz&;", None),
    "arrays": (b"username[]=a&username=a&username=b&password=1&password=2", None),
    "many fields": (b"&".join(b"f%d=1" % n for n in range(500)), None),
    "a megabyte": (b"username=" + b"a" * 1_000_000, None),
    "JSON": (b'{"username": "a", "password": "b"}', "application/json"),
    "nested JSON": (b"[" * 100_000, "application/json"),
    "a bad boundary": (b"--x\r\n\r\n", "multipart/form-data; boundary=" + "y" * 100),
    "no boundary": (b"--x", "multipart/form-data"),
    "cut multipart": (b'--x\r\nContent-Disposition: form-data; name="a"', "multipart/form-data; boundary=x"),
    "another charset": (b"username=a", "application/x-www-form-urlencoded; charset=utf-16"),
    "no charset": (b"username=a", "application/x-www-form-urlencoded; charset=nonsense"),
    "XML": (b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>", "text/xml"),
    "nothing": (b"", ""),
}  # fmt: skip
TARGETS = [
    "/login/", "/login/choose/", "/login/challenge/", "/login/card/", "/logout/", "/language/",
    "/settings/user/secure-login/share/", "/settings/user/secure-login/enrol/",
    "/settings/user/secure-login/share/undo/%00/", "/help/?q=%00", "/%00", "/%ff", "/a%0d%0ab",
]  # fmt: skip


@pytest.mark.parametrize("what", BAD_BODIES)
@pytest.mark.parametrize("who", ["nobody", "half", "owner"])
def test_no_body_however_bad_is_a_server_error(log_in: LogIn, who: str, what: str):
    client = log_in("owner") if who == "owner" else Client()
    body, content_type = BAD_BODIES[what]
    if content_type is None:
        content_type = "application/x-www-form-urlencoded"
    for path in TARGETS:
        if who == "half":
            client = Client()
            form = {"username": PLAYS["owner"].username, "password": password("owner")}
            client.post("/login/", form)
        if who == "owner" and path == "/logout/":
            continue
        client.raise_request_exception = False
        page = client.generic("POST", path, body, content_type=content_type)
        assert page.status_code < 500, (path, page.status_code)
        assert client.get(path, {"next": "\x00", "q": "\x00\ud7ff"}).status_code < 500, path


def test_random_bytes_are_never_a_server_error():
    random.seed(20261123)
    client = Client(raise_request_exception=False)
    for _ in range(40):
        noise = random.randbytes(200)
        for path in ("/login/", "/language/"):
            form = "application/x-www-form-urlencoded"
            assert client.generic("POST", path, noise, content_type=form).status_code < 500
