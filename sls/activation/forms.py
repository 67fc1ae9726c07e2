"""What the calls of an activation carry: docs/phone-protocol.md section 5."""

from sls.phone.forms import Base64, Field, Flag, Nested, Text

SECRET = Text(43, 43)
LONGEST_PIN = (
    32  # far beyond what is allowed: the guideline's refusal says it better than a malformed body
)

START: dict[str, Field] = {
    "username": Text(100),
    "password": Text(1000),
    "platform": Text(7, pattern="ios|android|other"),
}
KNOWN_NUMBER: dict[str, Field] = {"activation": SECRET, "number": Text(20)}
NEW_NUMBER: dict[str, Field] = {
    "activation": SECRET,
    "country": Text(2, 2),
    "national": Text(40, 0),
}
MESSAGE: dict[str, Field] = {"activation": SECRET}
ASK: dict[str, Field] = {"activation": SECRET, "device": Text(20, pattern="[0-9]{1,18}")}
AGREE: dict[str, Field] = {"activation": SECRET, "response": Text(40)}
ACTIVATE: dict[str, Field] = {
    "activation": SECRET,
    "code": Text(20),
    "ocra_key": Base64(32),
    "recovery_pin": Text(LONGEST_PIN, 0, default=""),
    "accepts_wait": Flag(default=False),
}
ACTIVATE_NEW: dict[str, Field] = ACTIVATE | {
    "public_key": Text(87, 87),
    "name": Text(60, 0, default=""),
    "pin": Text(LONGEST_PIN, 0, default=""),
    "pin_key": Base64(32, default=b""),
    "webauthn": Nested(default=""),
}
