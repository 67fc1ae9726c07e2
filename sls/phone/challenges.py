"""
What proves that a phone, and its holder, sent a request: docs/phone-protocol.md sections 3 and 4.

The signature says which phone, the proof says that its holder agrees. Both are over the same text, so nothing
of a request can be exchanged.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from django.conf import settings
from django.db import IntegrityError, transaction
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException

from portal import audit, throttle
from portal.caller import Caller
from portal.errors import Refused
from sls import events
from sls.models import Phone, PhoneNonce, PhoneState

from .rules import (
    CLOCK_SKEW,
    NEW_PHONE,
    PROOF,
    PhoneRefusal,
    Signature,
    from_base64url,
    parse_signature,
    request_text,
    to_base64url,
)

STATES = {
    PhoneState.FROZEN: PhoneRefusal.PHONE_FROZEN,
    PhoneState.RETIRED: PhoneRefusal.PHONE_RETIRED,
}


@dataclass(frozen=True)
class Incoming:
    """What of an HTTP request is signed, and the two headers."""

    method: str
    path: str
    body: bytes
    authorization: str
    proof: str = ""
    origins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Signed:
    """A request that `phone` has signed."""

    phone: Phone
    text: bytes
    incoming: Incoming

    @property
    def evidence(self) -> str:
        """What the phone agreed to, kept with the decision: anybody with its public key can check it."""
        kept = {
            "text": self.text.decode(),
            "body": self.incoming.body.decode(),
            "authorization": self.incoming.authorization,
            "proof": self.incoming.proof,
            "public_key": self.phone.public_key,
        }
        return json.dumps(kept)


def authenticate(incoming: Incoming, *, by: Caller, now: datetime) -> Signed:
    """
    Which active phone signed this? A nonce counts once, also when the request is refused afterwards.
    Raises Refused.
    """
    signature = parse_signature(incoming.authorization)
    if signature is None or signature.phone == NEW_PHONE:
        raise Refused(PhoneRefusal.INVALID_SIGNATURE)
    phone_id = _uuid(signature.phone)
    phone = Phone.objects.filter(pk=phone_id).first() if phone_id else None
    if phone is None:
        raise Refused(PhoneRefusal.INVALID_SIGNATURE)
    with audit.refusals(event=events.PHONE_PROOF, by=by, subject=None, at=now, phone=str(phone.pk)):
        text = _judge(incoming, signature, phone.public_key, now=now)
        _use_nonce(phone, signature, now=now)
        if phone.state in STATES:
            raise Refused(STATES[PhoneState(phone.state)])
    return Signed(phone, text, incoming)


def check_new_key(incoming: Incoming, public_key: str, *, now: datetime) -> bytes:
    """The request that registers a key is signed by it; the text it signed. Raises Refused."""
    signature = parse_signature(incoming.authorization)
    if signature is None or signature.phone != NEW_PHONE:
        raise Refused(PhoneRefusal.INVALID_SIGNATURE)
    return _judge(incoming, signature, public_key, now=now)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _judge(incoming: Incoming, signature: Signature, public_key: str, *, now: datetime) -> bytes:
    text = request_text(incoming.method, incoming.path, incoming.body, signature)
    if not is_signed(text, signature.value, public_key):
        raise Refused(PhoneRefusal.INVALID_SIGNATURE)
    off = abs(now.timestamp() - signature.time)
    if off > CLOCK_SKEW.total_seconds():
        raise Refused(PhoneRefusal.CLOCK_OFF)
    return text


def is_signed(text: bytes, signature: str, public_key: str) -> bool:
    """Is it a signature (r and s, 64 bytes in base64url) of the key (an uncompressed point)?"""
    try:
        raw = from_base64url(signature)
        key = point(public_key)
        der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        key.verify(der, text, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True


def point(public_key: str) -> ec.EllipticCurvePublicKey:
    """The key behind an uncompressed point in base64url. Raises ValueError."""
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_base64url(public_key))


def _use_nonce(phone: Phone, signature: Signature, *, now: datetime) -> None:
    """In a transaction of its own: the database says who was first."""
    until = datetime.fromtimestamp(signature.time, UTC) + 2 * CLOCK_SKEW
    try:
        with transaction.atomic(durable=True):
            PhoneNonce.objects.create(phone=phone, nonce=signature.nonce, expires_at=until)
    except IntegrityError as error:
        raise Refused(PhoneRefusal.REPLAYED) from error


def prove(signed: Signed, *, by: Caller, now: datetime) -> None:
    """
    Did the holder confirm this request, with the PIN or with biometrics? A wrong PIN has been spent before
    it is judged. Raises Refused.
    """
    with audit.refusals(
        event=events.PHONE_PROOF, by=by, subject=None, at=now, phone=str(signed.phone.pk)
    ):
        found = PROOF.fullmatch(signed.incoming.proof)
        if found is None:
            raise Refused(PhoneRefusal.INVALID_PROOF)
        if found["kind"] == "pin":
            _prove_by_pin(signed, found["value"], now=now)
        else:
            _prove_by_credential(signed, found["value"])


def _prove_by_pin(signed: Signed, mac: str, *, now: datetime) -> None:
    phone = signed.phone
    try:
        given = from_base64url(mac)
    except ValueError as error:
        raise Refused(PhoneRefusal.INVALID_PROOF) from error
    if not phone.has_pin:
        raise Refused(PhoneRefusal.INVALID_PROOF)
    pair = (throttle.PIN_OF_PHONE, str(phone.pk))
    if throttle.spend([pair], now=now):
        raise Refused(PhoneRefusal.PHONE_FROZEN)
    if not phone.is_pin_mac(given, signed.text):
        raise Refused(PhoneRefusal.WRONG_PIN, tries_left=throttle.left(pair, now=now))
    throttle.clear([pair])


def _prove_by_credential(signed: Signed, value: str) -> None:
    phone = signed.phone
    if not phone.has_credential:
        raise Refused(PhoneRefusal.INVALID_PROOF)
    try:
        verified = verify_authentication_response(
            credential=json.loads(from_base64url(value)),
            expected_challenge=sha256(signed.text).digest(),
            expected_rp_id=settings.PHONE_RP_ID,
            expected_origin=list(signed.incoming.origins),
            credential_public_key=from_base64url(phone.credential_key),
            credential_current_sign_count=phone.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(PhoneRefusal.INVALID_PROOF) from error
    counted = Phone.objects.filter(pk=phone.pk, sign_count=phone.sign_count)
    if to_base64url(verified.credential_id) != phone.credential_id:
        raise Refused(PhoneRefusal.INVALID_PROOF)
    if not counted.update(sign_count=verified.new_sign_count):
        raise Refused(PhoneRefusal.INVALID_PROOF)


@dataclass(frozen=True)
class Credential:
    """A registered WebAuthn credential, its parts in base64url."""

    id: str
    key: str
    sign_count: int


def register(
    credential: dict[str, object], *, challenge: bytes, origins: Sequence[str]
) -> Credential:
    """Judge the registration of a platform authenticator. Raises Refused."""
    try:
        verified = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=settings.PHONE_RP_ID,
            expected_origin=list(origins),
            require_user_verification=True,
            supported_pub_key_algs=[COSEAlgorithmIdentifier.ECDSA_SHA_256],
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(PhoneRefusal.INVALID_KEY) from error
    return Credential(
        to_base64url(verified.credential_id),
        to_base64url(verified.credential_public_key),
        verified.sign_count,
    )
