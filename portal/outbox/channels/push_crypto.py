"""
The two standards of web push that need keys: a payload that only the browser can open (RFC 8291 over
RFC 8188), and a token that tells its push service who sends (VAPID, RFC 8292).
"""

import base64
import json
import os
from functools import lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.exceptions import ImproperlyConfigured

from portal.outbox.subscriptions import from_base64

CURVE = ec.SECP256R1()
RECORD_BYTES = 4096  # of the one record; RFC 8188 section 2
LAST_RECORD = b"\x02"


def to_base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@lru_cache(maxsize=2)
def private_key(text: str) -> ec.EllipticCurvePrivateKey:
    """The key of 32 bytes in unpadded base64url. Raises ImproperlyConfigured, without naming it."""
    try:
        raw = from_base64(text)
        if len(raw) != 32:
            raise ValueError
        return ec.derive_private_key(int.from_bytes(raw, "big"), CURVE)
    except ValueError:
        raise ImproperlyConfigured(
            "VAPID_PRIVATE_KEY must be a P-256 key: 32 bytes in base64url."
        ) from None


def public_point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def encrypt(
    payload: bytes,
    *,
    to: bytes,
    auth: bytes,
    key: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes = b"",
) -> bytes:
    """The body of the request, in the coding aes128gcm. Key and salt are fresh; only tests give them."""
    key = key or ec.generate_private_key(CURVE)
    salt = salt or os.urandom(16)
    ours = public_point(key)
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, to)
    shared = key.exchange(ec.ECDH(), theirs)
    secret = _derive(shared, auth, b"WebPush: info\x00" + to + ours, 32)
    content_key = _derive(secret, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _derive(secret, salt, b"Content-Encoding: nonce\x00", 12)
    sealed = AESGCM(content_key).encrypt(nonce, payload + LAST_RECORD, None)
    return salt + RECORD_BYTES.to_bytes(4, "big") + bytes([len(ours)]) + ours + sealed


def _derive(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def authorization(
    key: ec.EllipticCurvePrivateKey, *, audience: str, subject: str, expires: int
) -> str:
    """The header that names us to the push service `audience` until `expires`."""
    header = {"typ": "JWT", "alg": "ES256"}
    claims = {"aud": audience, "exp": expires, "sub": subject}
    signed = ".".join(to_base64(json.dumps(part).encode()) for part in (header, claims))
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    signature = to_base64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    return f"vapid t={signed}.{signature}, k={to_base64(public_point(key))}"
