"""
One-time passwords: the truncation of RFC 4226 and the challenge and response of RFC 6287 (OCRA).

Pure: text, bytes and integers in, text out; no clock, no storage, no Django. `static/js/ocra.js` is
the same algorithm for the browser, and the tests of both read `tests/vectors/ocra.json`.
"""

import hmac
import re
from dataclasses import dataclass
from hashlib import new as new_hash
from typing import Self

_FUNCTION = re.compile(r"HOTP-(?P<hash>SHA(?:1|256|512))-(?P<digits>0|[4-9]|10)")
_INPUTS = re.compile(
    r"(?P<counter>C-)?"
    r"Q(?P<format>[ANH])(?P<length>0?[4-9]|[1-5][0-9]|6[0-4])"
    r"(?:-P(?P<pin>SHA(?:1|256|512)))?"
    r"(?:-S(?P<session>(?!000)[0-9]{3}))?"
    r"(?:-T(?P<step>(?:[1-9]|[1-5][0-9])[SM]|(?:[0-9]|[1-3][0-9]|4[0-8])H))?"
)
_ALPHABETS = {"A": "[A-Za-z0-9]+", "N": "[0-9]+", "H": "[A-Fa-f0-9]+"}
_SECONDS = {"S": 1, "M": 60, "H": 3600}


class SuiteError(ValueError):
    """The text is not an OCRA suite of RFC 6287 section 6."""


@dataclass(frozen=True, slots=True)
class Suite:
    """
    What a suite such as `OCRA-1:HOTP-SHA256-8:QN06-PSHA256` asks for: RFC 6287 section 6.

    `None` and `False` mean that the suite has no such part.
    """

    text: str  # exactly as given: it is the first part of what is signed
    hash_name: str  # "sha1", "sha256" or "sha512"
    digits: int  # 4 to 10, or 0 for no truncation
    has_counter: bool
    question_format: str  # "A" letters and digits, "N" digits, "H" hexadecimal
    question_length: int  # characters, the most for one challenge: 4 to 64
    pin_hash_name: str | None
    session_length: int | None  # bytes, 1 to 999
    step_seconds: int | None  # of one time step; 0 for "T0H", which the RFC's table allows

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a suite; capitals matter. Raises `SuiteError` naming the part that is wrong."""
        match text.split(":"):
            case ["OCRA-1", function_text, inputs_text]:
                function = _FUNCTION.fullmatch(function_text)
                inputs = _INPUTS.fullmatch(inputs_text)
            case _:
                raise SuiteError(f"Not OCRA-1:<function>:<inputs>: {text!r}.")
        if not function:
            raise SuiteError(f"Not HOTP-SHA<1|256|512>-<0|4-10>: {function_text!r}.")
        if not inputs:
            raise SuiteError(f"Not [C-]Q<format>[-P<hash>][-S<nnn>][-T<step>]: {inputs_text!r}.")
        pin, session, step = inputs["pin"], inputs["session"], inputs["step"]
        return cls(
            text=text,
            hash_name=function["hash"].lower(),
            digits=int(function["digits"]),
            has_counter=inputs["counter"] is not None,
            question_format=inputs["format"],
            question_length=int(inputs["length"]),
            pin_hash_name=pin.lower() if pin else None,
            session_length=int(session) if session else None,
            step_seconds=int(step[:-1]) * _SECONDS[step[-1]] if step else None,
        )


def truncate(digest: bytes, digits: int) -> str:
    """
    RFC 4226 section 5.3: an HMAC (20 bytes or more) as `digits` decimal digits with leading zeros.

    0 digits mean no truncation (RFC 6287 section 5.2): the whole HMAC in lower-case hexadecimal.
    """
    if digits == 0:
        return digest.hex()
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}}"


def pin_hash(suite: str | Suite, pin: str) -> bytes:
    """P: the hash of the PIN as typed, 20, 32 or 64 bytes; all that need be kept of a PIN."""
    suite = _parsed(suite)
    if suite.pin_hash_name is None:
        raise ValueError("The suite has no PIN.")
    if not pin:
        raise ValueError("The PIN is empty.")
    return new_hash(suite.pin_hash_name, pin.encode()).digest()


_pin_hash = pin_hash  # `ocra` has a parameter of this name


def ocra(
    suite: str | Suite,
    key: bytes,
    question: str,
    *,
    counter: int | None = None,
    pin: str | None = None,
    session: bytes | None = None,
    timestamp: int | None = None,
    pin_hash: bytes | None = None,
) -> str:
    """
    The response of RFC 6287 section 5: text, as many digits as the suite says.

    `question` is one challenge no longer than the suite's length, or two of exactly that length
    joined (mutual authentication, section 7.2). `counter` and `timestamp` are 64-bit, the latter in
    time steps. A PIN comes as typed or already hashed, never both.

    Raises `SuiteError` for a malformed suite and `ValueError` for an input that is missing, that
    the suite has no part for, or that is malformed; the message never repeats the input.
    """
    suite = _parsed(suite)
    if pin is not None and pin_hash is not None:
        raise ValueError("Give the PIN or its hash, not both.")
    if pin is not None:
        pin_hash = _pin_hash(suite, pin)
    for name, asked, given in (
        ("counter", suite.has_counter, counter is not None),
        ("PIN", suite.pin_hash_name is not None, pin_hash is not None),
        ("session", suite.session_length is not None, session is not None),
        ("timestamp", suite.step_seconds is not None, timestamp is not None),
    ):
        if asked != given:
            raise ValueError(f"The suite {'asks for a' if asked else 'has no'} {name}.")
    if not key:
        raise ValueError("The key is empty.")
    message = b"".join(
        (
            suite.text.encode(),
            b"\0",
            _eight_bytes(counter),
            _padded_question(suite, question),
            _checked_hash(suite, pin_hash),
            _padded_session(suite, session),
            _eight_bytes(timestamp),
        )
    )
    return truncate(hmac.digest(key, message, suite.hash_name), suite.digits)


def _parsed(suite: str | Suite) -> Suite:
    return suite if isinstance(suite, Suite) else Suite.parse(suite)


def _eight_bytes(number: int | None) -> bytes:
    if number is None:
        return b""
    if not 0 <= number < 2**64:
        raise ValueError("A counter or timestamp does not fit 64 bits.")
    return number.to_bytes(8, "big")


def _padded_question(suite: Suite, question: str) -> bytes:
    """Q: 128 bytes, zeros on the right."""
    if not re.fullmatch(_ALPHABETS[suite.question_format], question):
        raise ValueError(f"The question is not in the format Q{suite.question_format}.")
    if len(question) > suite.question_length and len(question) != 2 * suite.question_length:
        raise ValueError(f"The question is longer than {suite.question_length}.")
    if suite.question_format == "A":
        return question.encode().ljust(128, b"\0")
    # The RFC's code pads the text: the last of an odd number of nibbles is the high half of a byte.
    nibbles = f"{int(question):x}" if suite.question_format == "N" else question
    return bytes.fromhex(nibbles.ljust(256, "0"))


def _checked_hash(suite: Suite, digest: bytes | None) -> bytes:
    if digest is None or suite.pin_hash_name is None:
        return b""
    if len(digest) != new_hash(suite.pin_hash_name).digest_size:
        raise ValueError(f"The PIN's hash is not as long as a {suite.pin_hash_name}.")
    return digest


def _padded_session(suite: Suite, session: bytes | None) -> bytes:
    """S: as many bytes as the suite says, zeros on the left."""
    if session is None or suite.session_length is None:
        return b""
    if not 0 < len(session) <= suite.session_length:
        raise ValueError(f"The session is not 1 to {suite.session_length} bytes long.")
    return session.rjust(suite.session_length, b"\0")
