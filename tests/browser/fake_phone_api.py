"""
The portal's side of docs/phone-protocol.md, as small as the app's tests need it: one username after the other,
one phone after the other, everything in memory. It checks signatures and proofs as the document says.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from playwright.sync_api import BrowserContext, Route

from sls import oath

SUITE = "OCRA-1:HOTP-SHA256-8:QN06"
CODE = "204718"
BASE = "/phone/api/v1/"
STANDING = {"progress": "delivered", "sentence": "Delivered.", "cure": "", "advice": ["Advice."]}


def bytes_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Refusal(Exception):
    def __init__(self, status: int, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.status, self.code, self.facts = status, code, facts


class FakePhoneApi:
    """`people` maps usernames to the names of persons; every password is "right password"."""

    def __init__(self, people: dict[str, str], **agreement: Any) -> None:
        self.people = people
        self.agreement = {
            "is_needed": False,
            "pin_may_replace": False,
            "may_wait": False,
            "devices": [],
        }
        self.agreement |= agreement
        self.calls: list[str] = []
        self.activations: dict[str, str] = {}
        self.phone: dict[str, Any] = {}
        self.users: dict[str, dict[str, Any]] = {}
        self.prompts: list[dict[str, Any]] = []
        self.decisions: list[dict[str, Any]] = []
        self.wrong_pins = 0
        self.state = "active"
        self.recovery_pin = ""
        self.ready_at: datetime | None = None
        self.nonces: set[str] = set()
        self.subscription: dict[str, Any] | None = None
        self.loses_answer_to = ""

    def serve(self, context: BrowserContext) -> None:
        context.route(re.compile(r".*/phone/api/v1/.*"), self._answer)

    def _answer(self, route: Route) -> None:
        request = route.request
        path = urlsplit(request.url).path
        self.calls.append(f"{request.method} {path.removeprefix(BASE)}")
        now = datetime.now(UTC)
        try:
            body = request.post_data_buffer or b""
            status, answer = self._judge(request.method, path, body, request.headers)
        except Refusal as refused:
            words = {"title": "Title", "sentence": f"Sentence of {refused.code}.", "cure": "Cure."}
            status, answer = (
                refused.status,
                {"error": {"code": refused.code, **words, **refused.facts}},
            )
        if self.loses_answer_to and path.endswith(self.loses_answer_to):
            self.loses_answer_to = ""
            route.abort()
            return
        answer["server_time"] = now.isoformat()
        route.fulfill(status=status, content_type="application/json", body=json.dumps(answer))

    def _judge(
        self, method: str, path: str, raw: bytes, headers: dict[str, str]
    ) -> tuple[int, Any]:
        name = path.removeprefix(BASE)
        body = json.loads(raw) if raw else {}
        text = self._signed(method, path, raw, headers, body)
        deed: Callable[..., Any] = {
            "activation/start": self._start,
            "activation/code": self._code,
            "activation/message": lambda body, _: (200, STANDING),
            "activation/ask": self._ask,
            "activation/agree": lambda body, _: (200, {"is_agreed": True}),
            "activation/activate": self._activate,
            "countries": lambda body, _: (200, {"countries": COUNTRIES}),
            "prompts": self._list,
            "phone": self._phone,
            "push": self._push,
            "pin": self._pin,
        }.get(name, self._decide)
        self._path = name
        return deed(body, (text, headers))

    # What is signed, and how

    def _signed(
        self, method: str, path: str, raw: bytes, headers: dict[str, str], body: dict[str, Any]
    ) -> bytes:
        if "authorization" not in headers:
            return b""
        scheme, _blank, values = headers["authorization"].partition(" ")
        phone, time, nonce, signature = values.split(":")
        assert scheme == "Phone"
        assert re.fullmatch(r"[A-Za-z0-9_-]{22}", nonce)
        assert nonce not in self.nonces
        self.nonces.add(nonce)
        if abs(int(time) - datetime.now(UTC).timestamp()) > 300:
            raise Refusal(401, "clock_off")
        lines = [
            "client-portal phone request v1",
            method,
            path,
            hashlib.sha256(raw).hexdigest(),
            phone,
            time,
            nonce,
        ]
        text = "\n".join(lines).encode()
        point = body["public_key"] if phone == "new" else self.phone.get("public_key")
        if point is None:
            raise Refusal(401, "invalid_signature")
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes_of(point))
        r_and_s = bytes_of(signature)
        der = encode_dss_signature(int.from_bytes(r_and_s[:32]), int.from_bytes(r_and_s[32:]))
        key.verify(der, text, ec.ECDSA(hashes.SHA256()))
        if phone != "new" and self.state != "active":
            raise Refusal(403 if self.state == "frozen" else 410, f"phone_{self.state}")
        return text

    def _prove(self, text: bytes, headers: dict[str, str]) -> str:
        kind, _blank, value = headers["phone-proof"].partition(" ")
        if kind == "webauthn":
            assertion = json.loads(bytes_of(value))
            assert assertion["clientExtensionResults"] == {}
            client = json.loads(bytes_of(assertion["response"]["clientDataJSON"]))
            assert bytes_of(client["challenge"]) == hashlib.sha256(text).digest()
            assert bytes_of(assertion["response"]["authenticatorData"])[32] & 0x04  # user verified
            return kind
        if not hmac.compare_digest(
            bytes_of(value), hmac.digest(self.phone["pin_key"], text, "sha256")
        ):
            self.wrong_pins += 1
            if self.wrong_pins >= 5:
                self.state = "frozen"
                raise Refusal(403, "phone_frozen")
            raise Refusal(401, "wrong_pin", tries_left=5 - self.wrong_pins)
        self.wrong_pins = 0
        return kind

    # Activation

    def _start(self, body: dict[str, Any], _: Any) -> tuple[int, Any]:
        name = body["username"]
        if body["password"] != "right password" or name not in self.people:
            raise Refusal(401, "invalid_credentials")
        secret = f"{len(self.activations):043d}"
        self.activations[secret] = name
        return 201, {
            "activation": secret,
            "expires_at": later(900),
            "username": name,
            "user": f"user-{name}",
            "person": self.people[name],
            "brand": "Client Portal",
            "numbers": [
                {"id": "n1", "masked": "+44 ••• 042", "is_default": True, "is_first_used": False},
                {"id": "n2", "masked": "+65 ••• 567", "is_default": False, "is_first_used": True},
            ],
            "may_add_number": True,
            "agreement": self.agreement,
            "pin": {"shortest": 4, "longest": 6, "is_strict": True},
            "webauthn": {
                "rp": {"id": "localhost", "name": "Client Portal"},
                "user": {"id": "dXNlcg", "name": name, "displayName": self.people[name]},
                "challenge": "Y2hhbGxlbmdl",
            },
        }

    def _code(self, body: dict[str, Any], _: Any) -> tuple[int, Any]:
        assert body.pop("activation") in self.activations
        self.number = body
        return 202, {
            "masked": "+44 ••• 042",
            "expires_at": later(600),
            "resend_at": later(60),
            "tries_left": 5,
        }

    def _ask(self, body: dict[str, Any], _: Any) -> tuple[int, Any]:
        return 200, {"element": "challenge_code", "question": "204718", "expires_at": later(180)}

    def _activate(self, body: dict[str, Any], proof: Any) -> tuple[int, Any]:
        name = self.activations[body["activation"]]
        self.activated = body
        if self.ready_at is None and body["code"] != CODE:
            raise Refusal(409, "wrong_code", tries_left=4)
        if body.get("pin") == "birth":
            raise Refusal(409, "pin_not_safe", objections=["birth_date"])
        if recovered := body.get("recovery_pin"):
            if recovered != self.recovery_pin:
                raise Refusal(401, "wrong_pin", tries_left=4)
        elif body.get("accepts_wait") and (
            self.ready_at is None or self.ready_at > datetime.now(UTC)
        ):
            self.ready_at = datetime.now(UTC) + timedelta(hours=24)
            return 202, {"state": "waiting", "ready_at": self.ready_at.isoformat()}
        if "public_key" in body:
            self.phone = {
                "id": "00000000-0000-4000-8000-00000000000" + str(len(self.users)),
                "public_key": body["public_key"],
                "pin_key": bytes_of(body["pin_key"]),
                "webauthn": body.get("webauthn"),
            }
            assert len(self.phone["pin_key"]) == 32
        else:
            self._prove(*proof)
        self.users[name] = {"user": f"user-{name}", "key": bytes_of(body["ocra_key"])}
        return 201, {
            "phone": self.phone["id"],
            "user": f"user-{name}",
            "username": name,
            "person": self.people[name],
            "brand": "Client Portal",
            "serial": "IBK-0001",
            "suite": SUITE,
            "rp_id": "localhost",
            "pin_advice": [],
            "push_key": "",
        }

    # The active phone

    def ask(self, username: str, *, number: str = "", seconds: int = 180, **more: str) -> str:
        """A login now waits for the phone."""
        key = f"prompt-{len(self.decisions) + len(self.prompts)}"
        self.prompts.append(
            {
                "id": key,
                "attempt": f"attempt-{key}",
                "user": f"user-{username}",
                "username": username,
                "person": self.people[username],
                "brand": "Client Portal",
                "place": "192.0.2.7",
                "browser": "Firefox, Windows",
                "seconds_left": seconds,
                "asks_number": bool(number),
                **more,
            }
        )
        self.expected = number
        return key

    def _list(self, body: Any, _: Any) -> tuple[int, Any]:
        return 200, {"prompts": self.prompts, "events": ""}

    def _decide(self, body: dict[str, Any], proof: Any) -> tuple[int, Any]:
        key = self._path.split("/")[1]
        prompt = next((p for p in self.prompts if p["id"] == key), None)
        if prompt is None:
            raise Refusal(410, "prompt_over")
        assert (body["attempt"], body["username"]) == (prompt["attempt"], prompt["username"])
        how = ""
        if body["decision"] == "approve":
            how = self._prove(*proof)
            if body["number"] != self.expected:
                raise Refusal(409, "wrong_number", tries_left=1)
        self.prompts.remove(prompt)
        self.decisions.append({**body, "by": how})
        states = {"approve": "approved", "deny": "denied", "cancel": "cancelled"}
        return 200, {"state": states[body["decision"]]}

    def _phone(self, body: Any, _: Any) -> tuple[int, Any]:
        users = [{"user": held["user"]} for held in self.users.values()]
        return 200, {
            "phone": self.phone["id"],
            "users": users,
            "push_key": "",
            "brand": "Client Portal",
        }

    def _push(self, body: dict[str, Any], _: Any) -> tuple[int, Any]:
        self.subscription = body or None
        return 200, {"has_push": bool(body)}

    def _pin(self, body: dict[str, Any], proof: Any) -> tuple[int, Any]:
        self._prove(*proof)
        self.phone["pin_key"] = bytes_of(body["pin_key"])
        return 200, {"pin_advice": []}

    def response(self, username: str, question: str) -> str:
        """What the server expects of the offline path."""
        return oath.ocra(SUITE, self.users[username]["key"], question)


COUNTRIES = [
    {"country": "SG", "calling_code": "65", "example": "81234567"},
    {"country": "CN", "calling_code": "86", "example": "13123456789"},
    {"country": "GB", "calling_code": "44", "example": "7400123456"},
]


def later(seconds: int) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
