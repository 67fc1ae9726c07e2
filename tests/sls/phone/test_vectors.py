"""The vectors of docs/phone-protocol.md section 14, by the server and by the command-line phone."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from sls import oath
from sls.demo import handset
from sls.phone import rules
from sls.phone.challenges import is_signed

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "phone.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("vector", VECTORS["request"])
def test_requests(vector):
    signature = rules.parse_signature(vector["authorization"])
    body = vector["body"].encode()
    text = rules.request_text(vector["method"], vector["path"], body, signature)
    assert text.decode() == vector["text"]
    again = (vector["phone"], vector["time"], vector["nonce"])
    assert handset.request_text(vector["method"], vector["path"], body, *again) == text
    assert is_signed(text, vector["signature"], vector["public_key"])
    assert not is_signed(text + b"x", vector["signature"], vector["public_key"])
    mac = hmac.digest(bytes.fromhex(vector["pin_key"]), text, "sha256")
    assert rules.to_base64url(mac) == vector["pin_mac"]
    assert hashlib.sha256(text).hexdigest() == vector["webauthn_challenge"]


@pytest.mark.parametrize("vector", VECTORS["mask"])
def test_masks(vector):
    salt, secret = bytes.fromhex(vector["salt"]), bytes.fromhex(vector["device_secret"])
    stretched = handset.stretch(vector["pin"], salt)
    assert stretched.hex() == vector["stretched"]
    assert hmac.digest(secret, stretched, "sha256").hex() == vector["bound"]
    mask = handset.mask(vector["pin"], vector["label"], salt=salt, device_secret=secret)
    assert mask.hex() == vector["mask"]
    assert handset.xor(bytes.fromhex(vector["key"]), mask).hex() == vector["masked"]


@pytest.mark.parametrize("vector", VECTORS["ocra"])
def test_passcodes(vector):
    key = bytes.fromhex(vector["key"])
    assert oath.ocra(vector["suite"], key, vector["question"]) == vector["response"]


@pytest.mark.parametrize("text", ["", "A", "AA=", "A+", "AB", "Zg==", "Zh"])
def test_base64url_has_one_spelling(text):
    if text == "":
        assert rules.from_base64url(text) == b""
    else:
        with pytest.raises(ValueError, match="not"):
            rules.from_base64url(text)
