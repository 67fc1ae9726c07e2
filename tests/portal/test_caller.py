"""Who asks: abuse-cases.md A 8."""

from types import SimpleNamespace

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.test import RequestFactory

from portal.caller import SYSTEM, caller, peer_address, session_digest
from portal.models import User

PROXY, OUTER_PROXY = "10.0.0.1", "10.0.0.2"
CLIENT = "203.0.113.9"
SPOOFS = ["198.51.100.1", "a", "", "127.0.0.1", "198.51.100.1, 198.51.100.2", PROXY, "x" * 5000]


def request_from(peer, **headers):
    return RequestFactory().get("/", REMOTE_ADDR=peer, headers=headers)


@pytest.mark.parametrize("spoof", SPOOFS)
@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP"])
def test_without_trusted_proxies_headers_are_not_read(settings, name, spoof):
    settings.TRUSTED_PROXIES = []
    assert peer_address(request_from(CLIENT, **{name: spoof})) == CLIENT


@pytest.mark.parametrize("spoof", SPOOFS)
def test_a_peer_that_is_no_trusted_proxy_cannot_name_another_address(settings, spoof):
    settings.TRUSTED_PROXIES = [PROXY]
    assert peer_address(request_from(CLIENT, **{"X-Forwarded-For": spoof})) == CLIENT


@pytest.mark.parametrize("before", ["", "198.51.100.1, ", "a, , ", "10.0.0.1, ", "unknown, "])
def test_behind_a_trusted_proxy_only_the_address_it_added_counts(settings, before):
    settings.TRUSTED_PROXIES = [PROXY]
    header = {"X-Forwarded-For": f"{before}{CLIENT}"}
    assert peer_address(request_from(PROXY, **header)) == CLIENT


def test_behind_two_trusted_proxies_the_rightmost_foreign_address_counts(settings):
    settings.TRUSTED_PROXIES = [PROXY, OUTER_PROXY]
    header = {"X-Forwarded-For": f"198.51.100.1, {CLIENT} , {OUTER_PROXY}"}
    assert peer_address(request_from(PROXY, **header)) == CLIENT


@pytest.mark.parametrize("name", ["X-Real-IP", "Forwarded"])
def test_a_trusted_proxy_is_believed_in_one_header_only(settings, name):
    settings.TRUSTED_PROXIES = [PROXY]
    header = {"X-Forwarded-For": CLIENT, name: "198.51.100.1"}
    assert peer_address(request_from(PROXY, **header)) == CLIENT


def test_a_proxy_that_names_nobody_is_not_taken_for_its_client(settings):
    settings.TRUSTED_PROXIES = [PROXY]
    assert peer_address(request_from(PROXY)) == ""
    assert peer_address(request_from(PROXY, **{"X-Forwarded-For": PROXY})) == PROXY


@pytest.mark.parametrize("hop", ["a", "203.0.113.999", "203.0.113.9:80", "<script>", "1"])
def test_what_is_no_address_is_none(settings, hop):
    settings.TRUSTED_PROXIES = [PROXY]
    assert peer_address(request_from(PROXY, **{"X-Forwarded-For": hop})) == ""
    assert peer_address(request_from(hop)) == ""


@pytest.mark.parametrize("peer", ["2001:DB8:0:0::1", "2001:db8::1"])
def test_an_address_has_one_spelling(peer):
    assert peer_address(request_from(peer)) == "2001:db8::1"


def signed_in_request(**headers):
    request = request_from(CLIENT, **headers)
    request.session = SessionStore()
    request.session["x"] = 1
    request.session.save()
    request.user = User(username="mei.lantern")
    request.id = "a-request"
    return request


def test_the_caller_of_a_request_is_its_user_and_browser():
    request = signed_in_request(**{"User-Agent": "Browser " + "x" * 500})
    by = caller(request)
    assert (by.username, by.address, by.request_id) == ("mei.lantern", CLIENT, "a-request")
    assert by.browser == ("Browser " + "x" * 500)[:200]
    assert by.session == session_digest(request)


def test_a_session_is_named_by_a_digest_and_never_by_its_key():
    request = signed_in_request()
    digest = session_digest(request)
    assert len(digest) == 64
    assert digest not in request.session.session_key
    assert request.session.session_key not in digest


def test_nobody_logged_in_is_a_caller_without_a_name():
    request = request_from(CLIENT)
    request.session = SessionStore()
    request.user = AnonymousUser()
    by = caller(request)
    assert (by.user, by.username, by.session, by.request_id) == (None, "", "", "")
    assert SYSTEM.username == SYSTEM.address == ""


@pytest.mark.parametrize(("device", "expected"), [(None, None), (SimpleNamespace(pk=7), 7)])
def test_a_caller_carries_the_grant_that_his_session_has_proven(device, expected):
    request = request_from(CLIENT)
    request.session = SessionStore()
    request.user = User(username="robin")
    assert caller(request).proven_grant is None
    request.user.otp_device = device
    assert caller(request).proven_grant == expected
