"""
A phone on the command line: the second implementation of docs/phone-protocol.md, written from that page alone.

It talks HTTP only and shares no code with the server but the OCRA algorithm. Its keys lie in a file, so it is
for tests and demonstrations: a real phone's private key cannot be read out.
"""

import base64
import hashlib
import hmac
import http.client
import json
import secrets
import ssl
import time
import unicodedata
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sls import oath

API = "/phone/api/v1/"
ITERATIONS = 600_000


class Refused(Exception):
    """The portal said no: `status`, and the error as it was answered."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(f"{status} {error.get('code')}: {error.get('sentence', '')}")
        self.status = status
        self.error = error

    @property
    def code(self) -> str:
        return str(self.error.get("code", ""))


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def request_text(method: str, path: str, body: bytes, phone: str, when: int, nonce: str) -> bytes:
    digest = hashlib.sha256(body).hexdigest()
    lines = ["client-portal phone request v1", method, path, digest, phone, str(when), nonce]
    return "\n".join(lines).encode()


def stretch(pin: str, salt: bytes) -> bytes:
    password = unicodedata.normalize("NFC", pin).encode()
    return hashlib.pbkdf2_hmac("sha256", password, salt, ITERATIONS)


def mask(pin: str, label: str, *, salt: bytes, device_secret: bytes) -> bytes:
    bound = hmac.digest(device_secret, stretch(pin, salt), "sha256")
    info = f"client-portal phone mask v1|{label}".encode()
    return HKDF(hashes.SHA256(), 32, None, info).derive(bound)


def xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


@dataclass
class Handset:
    """What the phone keeps. Byte strings are hex; `pin_key` and `ocra_keys` are masked by the PIN."""

    base_url: str
    device_secret: str = ""
    salt: str = ""
    private_key: str = ""
    phone: str = ""
    pin_key: str = ""
    ocra_keys: dict[str, str] = field(default_factory=dict)  # by user id
    users: dict[str, str] = field(default_factory=dict)  # username to user id
    suite: str = "OCRA-1:HOTP-SHA256-8:QN06"
    clock: float = 0.0  # the server's clock less ours

    @classmethod
    def new(cls, base_url: str) -> "Handset":
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(
            base_url=base_url.rstrip("/"),
            device_secret=secrets.token_hex(32),
            salt=secrets.token_hex(16),
            private_key=f"{key.private_numbers().private_value:064x}",
        )

    @classmethod
    def load(cls, path: Path) -> "Handset":
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def save(self, path: Path) -> None:
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")

    # Keys

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(int(self.private_key, 16), ec.SECP256R1())

    @property
    def public_key(self) -> str:
        public = self.key.public_key()
        return b64(public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    def sign(self, text: bytes) -> str:
        r, s = decode_dss_signature(self.key.sign(text, ec.ECDSA(hashes.SHA256())))
        return b64(r.to_bytes(32) + s.to_bytes(32))

    def masked(self, key: bytes, pin: str, label: str) -> str:
        secret = bytes.fromhex(self.device_secret)
        made = mask(pin, label, salt=bytes.fromhex(self.salt), device_secret=secret)
        return xor(key, made).hex()

    def unmasked(self, kept: str, pin: str, label: str) -> bytes:
        return bytes.fromhex(self.masked(bytes.fromhex(kept), pin, label))

    # Calls

    def call(
        self,
        method: str,
        path: str,
        data: dict[str, Any] | None = None,
        *,
        signed_as: str = "",
        pin: str = "",
        nonce: str = "",
        shift: int = 0,
    ) -> dict[str, Any]:
        """One request. `signed_as`: this phone's id, or "new"; with `pin` also proven."""
        body = json.dumps(data).encode() if data is not None else b""
        headers = self.headers(
            method, API + path, body, signed_as=signed_as, pin=pin, nonce=nonce, shift=shift
        )
        return self.send(method, API + path, body, headers)

    def headers(
        self,
        method: str,
        path: str,
        body: bytes,
        *,
        signed_as: str = "",
        pin: str = "",
        nonce: str = "",
        shift: int = 0,
    ) -> dict[str, str]:
        headers = {"Accept-Language": "en"}
        if body:
            headers["Content-Type"] = "application/json"
        if not signed_as:
            return headers
        when = int(time.time() + self.clock) + shift
        nonce = nonce or b64(secrets.token_bytes(16))
        text = request_text(method, path, body, signed_as, when, nonce)
        headers["Authorization"] = f"Phone {signed_as}:{when}:{nonce}:{self.sign(text)}"
        if pin:
            mac = hmac.digest(self.unmasked(self.pin_key, pin, "pin"), text, "sha256")
            headers["Phone-Proof"] = f"pin {b64(mac)}"
        return headers

    def send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
        url = urlsplit(self.base_url)
        if url.scheme == "https":
            context = ssl.create_default_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                url.netloc, timeout=20, context=context
            )
        else:
            connection = http.client.HTTPConnection(url.netloc, timeout=20)
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            status, answered = response.status, json.loads(response.read())
        finally:
            connection.close()
        if status >= 400:
            raise Refused(status, answered.get("error", {}))
        return dict(answered)

    # What its holder does

    def start(self, username: str, password: str) -> dict[str, Any]:
        """Register Two-Factor; on an active phone: Add user."""
        data = {"username": username, "password": password, "platform": "other"}
        return self.call("POST", "activation/start", data, signed_as=self.phone)

    def get_code(self, started: dict[str, Any], number: str = "") -> dict[str, Any]:
        """Get Activation SMS: to the number first used, else the default."""
        choices = started["numbers"]
        wanted = sorted(choices, key=lambda n: (not n["is_first_used"], not n["is_default"]))
        data = {"activation": started["activation"], "number": number or wanted[0]["id"]}
        return self.call("POST", "activation/code", data, signed_as=self.phone)

    def ask(self, started: dict[str, Any], device: str) -> dict[str, Any]:
        data = {"activation": started["activation"], "device": device}
        return self.call("POST", "activation/ask", data, signed_as=self.phone)

    def agree(self, started: dict[str, Any], response: str) -> dict[str, Any]:
        data = {"activation": started["activation"], "response": response}
        return self.call("POST", "activation/agree", data, signed_as=self.phone)

    def activate(
        self,
        started: dict[str, Any],
        code: str,
        pin: str,
        *,
        recovery_pin: str = "",
        accepts_wait: bool = False,
    ) -> dict[str, Any]:
        """Activate: a new phone with the keys made for it, or this phone with one more username."""
        ocra_key = secrets.token_bytes(32)
        data: dict[str, Any] = {
            "activation": started["activation"],
            "code": code,
            "ocra_key": b64(ocra_key),
            "recovery_pin": recovery_pin,
            "accepts_wait": accepts_wait,
        }
        if self.phone:
            answered = self.call("POST", "activation/activate", data, signed_as=self.phone, pin=pin)
        else:
            pin_key = secrets.token_bytes(32)
            data |= {
                "public_key": self.public_key,
                "name": "Command line",
                "pin": pin,
                "pin_key": b64(pin_key),
            }
            answered = self.call("POST", "activation/activate", data, signed_as="new")
            if answered.get("state") == "waiting":
                return answered
            self.phone, self.suite = answered["phone"], answered["suite"]
            self.pin_key = self.masked(pin_key, pin, "pin")
        if answered.get("state") != "waiting":
            user = answered["user"]
            self.users[answered["username"]] = user
            self.ocra_keys[user] = self.masked(ocra_key, pin, f"ocra|{user}")
        return answered

    def waiting(self) -> list[dict[str, Any]]:
        return list(self.call("GET", "prompts", signed_as=self.phone)["prompts"])

    def decide(
        self, prompt: dict[str, Any], decision: str, *, pin: str = "", number: str = ""
    ) -> str:
        data = {
            "attempt": prompt["attempt"],
            "username": prompt["username"],
            "decision": decision,
            "number": number,
        }
        path = f"prompts/{prompt['id']}/decision"
        answered = self.call("POST", path, data, signed_as=self.phone, pin=pin)
        return str(answered["state"])

    def passcode(self, username: str, challenge: str, pin: str) -> str:
        """Generate Passcode, without any network."""
        user = self.users[username]
        key = self.unmasked(self.ocra_keys[user], pin, f"ocra|{user}")
        return oath.ocra(self.suite, key, "".join(challenge.split()))

    def change_pin(self, old: str, new: str) -> dict[str, Any]:
        pin_key = secrets.token_bytes(32)
        data = {"pin": new, "pin_key": b64(pin_key)}
        answered = self.call("POST", "pin", data, signed_as=self.phone, pin=old)
        for user, kept in self.ocra_keys.items():
            plain = self.unmasked(kept, old, f"ocra|{user}")
            self.ocra_keys[user] = self.masked(plain, new, f"ocra|{user}")
        self.pin_key = self.masked(pin_key, new, "pin")
        return answered
