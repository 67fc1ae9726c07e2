"""Addresses that a client gave us: abuse-cases.md C 61."""

import json
import socket

import pytest

from portal.outbox import subscriptions
from portal.outbox.channels import push_crypto
from portal.outbox.subscriptions import SubscriptionRefused

KEY = push_crypto.to_base64(push_crypto.public_point(push_crypto.private_key("A" * 42 + "E")))
AUTH = push_crypto.to_base64(b"0123456789abcdef")
PUBLIC, MOZILLA = "142.250.184.10", "https://updates.push.services.mozilla.com/wpush/v2/gAAA"


def as_sent(endpoint: object = MOZILLA, p256dh: object = KEY, auth: object = AUTH) -> str:
    keys = {"p256dh": p256dh, "auth": auth}
    return json.dumps({"endpoint": endpoint, "expirationTime": None, "keys": keys})


@pytest.fixture
def names(monkeypatch) -> dict[str, list[str]]:
    """What names mean; others are not found."""
    known: dict[str, list[str]] = {}

    def look_up(host, port, **kwargs):
        if host not in known:
            raise socket.gaierror(-2, "not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


@pytest.mark.parametrize(
    "endpoint",
    [
        MOZILLA,
        "https://fcm.googleapis.com/fcm/send/abc:APA91",
        "https://fcm.googleapis.com:443/fcm/send/abc",
        "https://web.push.apple.com/QGuQ",
        "https://wns2-par02p.notify.windows.com/w/?token=BQYA%2b",
    ],
)
def test_the_known_push_services_are_accepted(endpoint, names):
    found = subscriptions.parse(as_sent(endpoint))
    names[found.host] = [PUBLIC]
    assert subscriptions.accept(as_sent(endpoint)) == found
    assert subscriptions.parse(found.as_json()) == found


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.googleapis.com/x",
        "file:///etc/passwd",
        "https://127.0.0.1/x",
        "http://127.0.0.1:6379/",
        "https://localhost/x",
        "https://[::1]/x",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://user@fcm.googleapis.com/x",
        "https://user:pass@fcm.googleapis.com/x",
        "https://fcm.googleapis.com@evil.example/x",
        "https://evil.example#fcm.googleapis.com",
        "https://fcm.googleapis.com#@evil.example/",
        "https://evil.example/?fcm.googleapis.com",
        "https://evil.example\\.push.apple.com/",
        "https://fcm.googleapis.com.evil.example/x",
        "https://evilpush.apple.com/x",
        "https://.push.apple.com.evil.example/",
        "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com:99999/x",
        "https://fcm.googleapis.com:0/x",
        "https://fcm.googleapis.com./x",
        "https://fcm.googleapis.com/x y",
        "https://fcm.googleapis.com/x\r\nHost: evil",
        "https://fcm.goo\tgleapis.com/x",
        "https://fcm。googleapis。com/x",
        "https://ｆcm.googleapis.com/x",
        "//fcm.googleapis.com/x",
        "javascript:alert(1)",
        "https://[fcm.googleapis.com/",
        "",
        "https://fcm.googleapis.com/" + "x" * 1000,
        5,
        None,
        ["https://fcm.googleapis.com/x"],
    ],
)
def test_any_other_address_is_refused(endpoint):
    with pytest.raises(SubscriptionRefused) as caught:
        subscriptions.parse(as_sent(endpoint))
    assert "evil" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "[" * 3000,
        '{"endpoint": "x"}',
        as_sent(p256dh="AAAA"),
        as_sent(p256dh=push_crypto.to_base64(b"\x04" + b"\x01" * 64)),
        as_sent(p256dh=None),
        as_sent(p256dh="ü" * 87),
        as_sent(auth="AAAA"),
        as_sent(auth=7),
        as_sent(auth=AUTH + "AAAA"),
        as_sent() + " " * 5000,
    ],
)
def test_what_is_no_subscription_is_refused(text):
    with pytest.raises(SubscriptionRefused):
        subscriptions.parse(text)


INWARD = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2001:0:53aa:64c:0:5efe:8080:8080",
    "2001:db8::1",
]


@pytest.mark.parametrize("address", INWARD)
def test_a_name_that_leads_inward_is_refused_even_among_public_addresses(address, names):
    names["updates.push.services.mozilla.com"] = [PUBLIC, address]
    with pytest.raises(SubscriptionRefused, match="inward"):
        subscriptions.accept(as_sent())


@pytest.mark.parametrize("address", [PUBLIC, "2a00:1450:4001:82a::200a", "64:ff9b::8efa:b80a"])
def test_a_public_address_is_accepted(address, names):
    names["updates.push.services.mozilla.com"] = [address]
    assert subscriptions.addresses_of(subscriptions.accept(as_sent())) == [address]


def test_a_name_that_is_not_found_is_an_os_error(names):
    with pytest.raises(OSError, match="not known"):
        subscriptions.accept(as_sent())


def test_loopback_is_refused_unless_a_test_allows_it(settings):
    endpoint = "http://127.0.0.1:8123/push"
    with pytest.raises(SubscriptionRefused):
        subscriptions.parse(as_sent(endpoint))
    settings.PUSH_TO_LOOPBACK = True
    assert subscriptions.accept(as_sent(endpoint)).host == "127.0.0.1"
    with pytest.raises(SubscriptionRefused):
        subscriptions.parse(as_sent("http://10.0.0.1:8123/push"))


def test_nothing_of_a_subscription_stands_in_its_representation():
    shown = repr(subscriptions.parse(as_sent()))
    assert not [part for part in (MOZILLA, KEY, AUTH) if part in shown]
