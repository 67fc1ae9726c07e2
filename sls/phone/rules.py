"""Refusals of a phone's requests, and what exactly is signed. Pure."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from portal.errors import Reason

NEW_PHONE = "new"
HEADER = re.compile(
    r"Phone (?P<phone>new|[0-9a-f-]{36}):(?P<time>[0-9]{9,11}):(?P<nonce>[A-Za-z0-9_-]{22}):"
    r"(?P<signature>[A-Za-z0-9_-]{86})"
)
PROOF = re.compile(r"(?P<kind>pin|webauthn) (?P<value>[A-Za-z0-9_-]{1,8000})")
CLOCK_SKEW = timedelta(seconds=300)


@dataclass(frozen=True)
class Signature:
    """The Authorization header of a signed request."""

    phone: str
    time: int
    nonce: str
    value: str


def parse_signature(header: str) -> Signature | None:
    found = HEADER.fullmatch(header)
    if found is None:
        return None
    return Signature(found["phone"], int(found["time"]), found["nonce"], found["signature"])


def request_text(method: str, path: str, body: bytes, signature: Signature) -> bytes:
    """What a phone signs: docs/phone-protocol.md section 3."""
    lines = [
        "client-portal phone request v1",
        method,
        path,
        hashlib.sha256(body).hexdigest(),
        signature.phone,
        str(signature.time),
        signature.nonce,
    ]
    return "\n".join(lines).encode()


def from_base64url(text: str) -> bytes:
    """RFC 4648 section 5 without padding, in its one spelling. Raises ValueError."""
    if re.fullmatch(r"[A-Za-z0-9_-]*", text) is None:
        raise ValueError("not base64url")
    try:
        found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    if to_base64url(found) != text:
        raise ValueError("not the one spelling")
    return found


def to_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class PhoneRefusal(Reason):
    MALFORMED = (
        "malformed",
        _("The request is malformed"),
        _("The app sent something that the portal does not understand."),
        _("Update the app."),
    )
    INVALID_SIGNATURE = (
        "invalid_signature",
        _("This phone is not known"),
        _("The request does not carry the signature of an active phone."),
        _("Activate the phone again."),
        "kb2748",
    )
    CLOCK_OFF = (
        "clock_off",
        _("The clock of the phone is off"),
        _("The request carries a time that is more than five minutes off."),
        _("Set the clock of the phone, then try again."),
    )
    REPLAYED = (
        "replayed",
        _("This request was received before"),
        _("A request counts once."),
        _("Try again."),
    )
    PHONE_FROZEN = (
        "phone_frozen",
        _("This phone is frozen"),
        _("It was reported lost, or a wrong PIN was entered too often."),
        _(
            "Thaw it on the Secure Login System page with another device, or contact Client Services."
        ),
        "kb2260#faq-3",
    )
    PHONE_RETIRED = (
        "phone_retired",
        _("This phone is no longer active"),
        _("Another phone took its place, or it was disabled."),
        _("Choose Register Two-Factor to activate it again."),
        "kb2748",
    )
    WRONG_PIN = (
        "wrong_pin",
        _("The PIN does not match"),
        _("The PIN is not the one of this phone."),
        _("Enter it again. After five wrong ones the phone is frozen."),
        "kb2260#faq-2",
    )
    INVALID_PROOF = (
        "invalid_proof",
        _("The confirmation is not valid"),
        _("The fingerprint, face or PIN was not confirmed for this request."),
        _("Try again."),
    )
    INVALID_KEY = (
        "invalid_key",
        _("The phone sent a key that cannot be used"),
        _("A key of the phone is malformed, or is not the one that signed."),
        _("Update the app, or install it anew."),
    )
    PIN_NOT_SAFE = (
        "pin_not_safe",
        _("Choose another PIN"),
        _("The PIN is easy to guess, or does not have 4 to 6 characters."),
        _("Do not use dates of birth, document or phone numbers, names or runs."),
        "kb2269",
    )
    ENDPOINT_NOT_ALLOWED = (
        "endpoint_not_allowed",
        _("Notifications of this browser are not supported"),
        _("The browser's push service is not one that the portal sends to."),
        _("Open the app to see requests, or use another browser."),
        "kb3234",
    )


class LostRefusal(Reason):
    NOT_FROZEN = (
        "not_frozen",
        _("This phone is not frozen"),
        _("It works already, or another phone took its place."),
        _("Look at the list of your devices."),
    )
    OWN_PERSON = (
        "own_person",
        _("This is your own"),
        _("You, or another username of yours, are the one concerned."),
        _("Ask a colleague: nobody decides about himself."),
    )
