"""The command-line phone inside a test: its requests go through Django's test client instead of a socket."""

import json
from dataclasses import dataclass
from typing import Any

from django.test import Client

from portal import vault
from portal.models import OutboxMessage
from sls.demo import cast
from sls.demo.handset import Handset, Refused


@dataclass
class PhoneInTest(Handset):
    """`last` is the last response, whatever it was."""

    last: Any = None

    def send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
        extra = {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in headers.items()}
        content_type = extra.pop("HTTP_CONTENT_TYPE", "application/json" if body else "")
        client = Client(raise_request_exception=True)
        self.last = client.generic(method, path, body, content_type=content_type, **extra)
        answered = json.loads(self.last.content)
        if self.last.status_code >= 400:
            raise Refused(self.last.status_code, answered.get("error", {}))
        return answered


def new_phone() -> PhoneInTest:
    made = Handset.new("http://testserver")
    return PhoneInTest(**vars(made))


def demo_phone() -> PhoneInTest:
    """The phone of mei.lantern."""
    return PhoneInTest(**vars(cast.handset("http://testserver")))


PIN = cast.PHONE_PIN


def code_sent_to(username: str) -> str:
    """The Activation Token of the newest SMS, from the sealed outbox row."""
    rows = OutboxMessage.objects.filter(user__username=username, event="activation_code")
    row = rows.order_by("-created_at", "-pk").latest("created_at")
    return json.loads(vault.sealed_field(row, "context").open_from(row))["code"]


def enrol(username: str, password: str, pin: str = "g7#Qz", phone: PhoneInTest | None = None):
    """A phone with this username on it, by the documented calls."""
    phone = phone or new_phone()
    started = phone.start(username, password)
    phone.get_code(started)
    phone.activate(started, code_sent_to(username), pin)
    return phone
