"""Biometrics: a platform authenticator in software, as WebAuthn describes it (attestation "none")."""

import hashlib
import json
import re
import secrets
from dataclasses import dataclass, field

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client

from sls.demo.handset import API, Refused, b64, unb64
from sls.models import Phone
from tests.conftest import PLAYS, password
from tests.handset import code_sent_to, new_phone

pytestmark = pytest.mark.usefixtures("on_stage")
USER_PRESENT, USER_VERIFIED, ATTESTED = 0x01, 0x04, 0x40
ORIGIN = "http://testserver"


@dataclass
class Authenticator:
    rp_id: str = "localhost"
    origin: str = ORIGIN
    flags: int = USER_PRESENT | USER_VERIFIED
    count: int = 0
    id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def _client_data(self, kind: str, challenge: bytes) -> bytes:
        data = {"type": kind, "challenge": b64(challenge), "origin": self.origin}
        return json.dumps(data).encode()

    def _data(self, flags: int, more: bytes = b"") -> bytes:
        rp = hashlib.sha256(self.rp_id.encode()).digest()
        return rp + bytes([flags]) + self.count.to_bytes(4) + more

    def _answer(self, response: dict[str, str]) -> dict[str, object]:
        return {
            "id": b64(self.id),
            "rawId": b64(self.id),
            "type": "public-key",
            "clientExtensionResults": {},
            "response": response,
        }

    def create(self, challenge: bytes) -> dict[str, object]:
        point = self.key.public_key().public_numbers()
        cose = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32), -3: point.y.to_bytes(32)})
        attested = bytes(16) + len(self.id).to_bytes(2) + self.id + cose
        data = self._data(self.flags | ATTESTED, attested)
        made = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client_data = self._client_data("webauthn.create", challenge)
        return self._answer({"attestationObject": b64(made), "clientDataJSON": b64(client_data)})

    def get(self, challenge: bytes) -> dict[str, object]:
        self.count += 1
        client_data = self._client_data("webauthn.get", challenge)
        data = self._data(self.flags)
        signed = data + hashlib.sha256(client_data).digest()
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {
                "authenticatorData": b64(data),
                "clientDataJSON": b64(client_data),
                "signature": b64(signature),
            }
        )


def enrolled(authenticator: Authenticator):
    """A phone without any PIN."""
    who, phone = PLAYS["no_device"], new_phone()
    started = phone.start(who.username, who.password)
    phone.get_code(started)
    challenge = started["webauthn"]["challenge"]
    data = {
        "activation": started["activation"],
        "code": code_sent_to(who.username),
        "public_key": phone.public_key,
        "ocra_key": "A" * 43,
        "webauthn": authenticator.create(unb64(challenge)),
    }
    answered = phone.call("POST", "activation/activate", data, signed_as="new")
    phone.phone = answered["phone"]
    return phone


def approve(phone, authenticator: Authenticator, *, spoilt: bool = False):
    who = PLAYS["no_device"]
    client = Client()
    page = client.post(
        "/login/", {"username": who.username, "password": password("no_device")}, follow=True
    )
    number = re.search(r'id="prompt-number">(\d\d)<', page.content.decode())[1]
    (prompt,) = phone.waiting()
    path = f"{API}prompts/{prompt['id']}/decision"
    data = {k: prompt[k] for k in ("attempt", "username")}
    body = json.dumps(data | {"decision": "approve", "number": number}).encode()
    headers = phone.headers("POST", path, body, signed_as=phone.phone)
    _phone, when, nonce, _signature = headers["Authorization"].removeprefix("Phone ").split(":")
    digest = hashlib.sha256(body).hexdigest()
    lines = ["client-portal phone request v1", "POST", path, digest, phone.phone, when, nonce]
    text = "\n".join(lines).encode() + (b"x" if spoilt else b"")
    assertion = authenticator.get(hashlib.sha256(text).digest())
    headers["Phone-Proof"] = f"webauthn {b64(json.dumps(assertion).encode())}"
    phone.send("POST", path, body, headers)
    return client


def test_a_finger_approves_a_login():
    authenticator = Authenticator()
    phone = enrolled(authenticator)
    client = approve(phone, authenticator)
    assert client.post("/login/push/").url == "/"
    assert Phone.objects.get(pk=phone.phone).sign_count == 1


@pytest.mark.parametrize("what", ["not_verified", "other_key", "other_origin", "old_count", "text"])
def test_a_confirmation_that_is_not_in_order_approves_nothing(what):
    authenticator = Authenticator()
    phone = enrolled(authenticator)
    if what == "not_verified":
        authenticator.flags = USER_PRESENT
    if what == "other_key":
        authenticator.key = ec.generate_private_key(ec.SECP256R1())
    if what == "other_origin":
        authenticator.origin = "https://evil.example"
    if what == "old_count":
        Phone.objects.filter(pk=phone.phone).update(sign_count=7)
    with pytest.raises(Refused) as refused:
        approve(phone, authenticator, spoilt=what == "text")
    assert refused.value.code == "invalid_proof"


@pytest.mark.parametrize("what", ["not_verified", "other_rp", "other_origin"])
def test_a_registration_that_is_not_in_order_is_refused(what):
    authenticator = Authenticator()
    if what == "not_verified":
        authenticator.flags = USER_PRESENT
    if what == "other_rp":
        authenticator.rp_id = "evil.example"
    if what == "other_origin":
        authenticator.origin = "https://evil.example"
    with pytest.raises(Refused) as refused:
        enrolled(authenticator)
    assert refused.value.code == "invalid_key"


def test_a_phone_without_a_pin_takes_no_proof_by_pin():
    authenticator = Authenticator()
    phone = enrolled(authenticator)
    phone.pin_key = "00" * 32
    with pytest.raises(Refused) as refused:
        phone.change_pin("1111", "uW3!k")
    assert refused.value.code == "invalid_proof"
