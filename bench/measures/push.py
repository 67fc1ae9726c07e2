"""
From the phone's approval to the signed-in page, while others wait for their phones: real logins with a prompt
each, their streams open, one approval after the other through the phone's interface.

"Told" is from the moment the phone has the answer "approved" to the bytes of the event in the browser; "signed
in" goes on through the form that the waiting page sends by itself to the whole home page; the last line has the
phone's own request before it. Client and server share the machine.
"""

import json
import re
import secrets
import statistics
import threading
import time
from dataclasses import dataclass

from bench import people
from bench.browser import OverHttp
from bench.options import Options
from bench.people import NOW, PASSWORD
from bench.report import Row
from bench.server import serve
from bench.stage import Stage
from sls.demo.handset import API, Handset
from tests.waiting import Waiting

CROWDS = (1, 200, 1000)
APPROVALS = 40  # in each crowd
PIN = "Tr7-9k"
TOLD, SIGNED_IN = 0.025, 0.080  # seconds, p95


@dataclass
class Login:
    """One browser on the waiting page, and what the phone signs for it."""

    browser: OverHttp
    token: str
    path: str
    body: bytes


def run(where: Stage, options: Options) -> list[Row]:
    size = sum(CROWDS) + APPROVALS * len(CROWDS)
    with serve("portal.asgi:application", where.product, "/health/ready/") as server:
        handset = Handset.new(server.address)
        names = _usernames(handset, size)
        rows = []
        for crowd in CROWDS:
            mine, names = names[:APPROVALS], names[APPROVALS:]
            logins = [_wait(server.port, name, n) for n, name in enumerate(mine)]
            rest, names = names[: crowd - 1], names[crowd - 1 :]
            others = [_wait(server.port, name, n) for n, name in enumerate(rest)]
            rows += _approve(server.port, handset, logins, others, crowd)
            for login in others:
                login.browser.post("/login/push/", {"cancel": "1"})
        return rows


def _usernames(handset: Handset, size: int) -> list[str]:
    """Users whose IB Keys are all on one phone."""
    from sls.devices import making
    from sls.models import DeviceGrant, Phone, PhoneState, PhoneUser, Platform, SecurityDevice

    pin_key = secrets.token_bytes(32)
    phone = Phone(
        platform=Platform.OTHER,
        name="Benchmark",
        public_key=handset.public_key,
        state=PhoneState.ACTIVE,
        created_at=NOW,
    )
    phone.set_pin(PIN, pin_key)
    phone.save(force_insert=True)
    handset.phone = str(phone.pk)
    handset.pin_key = handset.masked(pin_key, PIN, "pin")
    names = [f"push-{number}" for number in range(size)]
    made = people.users(names, people.entities(size), people.hashed())
    things = [
        making.new_ib_key(serial=f"IBK-{number:08}", key=secrets.token_bytes(32), now=NOW)
        for number in range(size)
    ]
    SecurityDevice.objects.bulk_create(things)
    DeviceGrant.objects.bulk_create(
        people.own(user, device) for user, device in zip(made, things, strict=True)
    )
    grants = DeviceGrant.objects.filter(user__in=made).select_related("user")
    PhoneUser.objects.bulk_create(
        PhoneUser(
            phone=phone,
            user=grant.user,
            grant=grant,
            number="+447700900123",
            activated_at=NOW,
        )
        for grant in grants
    )
    return names


def _wait(port: int, name: str, number: int) -> Login:
    """Log in as far as the waiting page."""
    from sls.models import LoginPrompt

    browser = OverHttp(port, address=f"198.51.{number // 250}.{number % 250}")
    browser.get("/login/")
    page = browser.post("/login/", {"username": name, "password": PASSWORD})
    assert page.location == "/login/push/", f"{page.status} {page.location}"
    found = re.search(r'data-live="/events/([^"]+)"', browser.get("/login/push/").text)
    assert found, "no stream on the waiting page"
    prompt = LoginPrompt.objects.get(user__username=name)
    words = {
        "attempt": str(prompt.attempt_id),
        "username": name,
        "decision": "approve",
        "number": prompt.number,
    }
    path = f"{API}prompts/{prompt.pk}/decision"
    browser.rest()
    return Login(browser, found[1], path, json.dumps(words).encode())


def _approve(
    port: int, handset: Handset, logins: list[Login], others: list[Login], crowd: int
) -> list[Row]:
    told, signed_in, whole = [], [], []
    cookies = {login.token: login.browser.cookie_header for login in [*others, *logins]}
    with Waiting(port, cookies, cookies=cookies) as waiting:
        size = len(cookies)
        assert waiting.read(lambda: waiting.open == size, seconds=60), f"{waiting.open} of {size}"
        for login in logins:
            phone = Approval(handset, login)
            phone.start()
            was_told = waiting.read(lambda one=login.token: one in waiting.told_at, seconds=20)
            assert was_told, "a browser was not told"
            where = login.browser.post("/login/push/", {}).location
            assert where == "/", where
            assert login.browser.get("/").status == 200
            there = time.perf_counter()
            phone.join()
            told.append(max(0, waiting.told_at[login.token] - phone.approved_at))
            signed_in.append(there - phone.approved_at)
            whole.append(there - phone.sent_at)
        strays = [one.token for one in others if one.token in waiting.told_at]
        assert not strays, f"{len(strays)} were told of what was not theirs"
    return [
        _row(f"approved and told, {crowd:,} wait", told, TOLD),
        _row("  and signed in", signed_in, SIGNED_IN),
        _row("  from the phone's request to the signed-in page", whole, None),
    ]


class Approval(threading.Thread):
    """The phone's request, made ready beforehand: stretching the PIN takes the phone a while."""

    def __init__(self, handset: Handset, login: Login) -> None:
        super().__init__()
        self.handset, self.login = handset, login
        self.headers = handset.headers(
            "POST", login.path, login.body, signed_as=handset.phone, pin=PIN
        )
        self.sent_at = self.approved_at = 0.0

    def run(self) -> None:
        self.sent_at = time.perf_counter()
        self.handset.send("POST", self.login.path, self.login.body, self.headers)
        self.approved_at = time.perf_counter()


def _row(name: str, seconds: list[float], most: float | None) -> Row:
    ordered = sorted(seconds)
    p95 = ordered[int(len(ordered) * 0.95)]
    said = " / ".join(f"{1000 * s:.1f}" for s in (statistics.median(ordered), p95, ordered[-1]))
    target = "" if most is None else f"p95 <= {1000 * most:.0f} ms"
    return Row(name, f"{said} ms", target=target, met=None if most is None else p95 <= most)
