"""
Pure: how an SMS travels. One character outside the GSM alphabet (3GPP TS 23.038 section 6.2.1) makes the
whole text UCS-2, which holds less than half as much; a text of several parts loses room to their headers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

ESCAPE = "\x1b"
ALPHABET = (  # each at the place of its number
    f"@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ{ESCAPE}ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = dict(  # behind the escape: each takes two places
    zip("\f^{}\\[~]|€", (0x0A, 0x14, 0x28, 0x29, 0x2F, 0x3C, 0x3D, 0x3E, 0x40, 0x65), strict=True)
)
SEPTETS = {c: bytes([number]) for number, c in enumerate(ALPHABET) if c != ESCAPE} | {
    c: bytes([ALPHABET.index(ESCAPE), number]) for c, number in EXTENSION.items()
}
GSM7, UCS2 = "GSM-7", "UCS-2"
ROOM = {GSM7: (160, 153), UCS2: (70, 67)}  # in a single part, and in each of several


@dataclass(frozen=True)
class Size:
    """`units` are septets in GSM-7, and 16-bit units in UCS-2."""

    encoding: str
    units: int
    segments: int


def size(text: str) -> Size:
    """How the text travels. An empty one is still one message."""
    encoding = _encoding(text)
    units = sum(_width(c, encoding) for c in text)
    return Size(encoding, units, len(_split(text, encoding)))


def encoded(text: str) -> tuple[str, list[bytes]]:
    """
    The encoding, and the parts as SMPP carries them: a byte for each septet, or big-endian UTF-16. Headers of
    parts are not among it.
    """
    encoding = _encoding(text)
    parts = _split(text, encoding)
    if encoding == UCS2:
        return encoding, [part.encode("utf-16-be") for part in parts]
    return encoding, [b"".join(SEPTETS[c] for c in part) for part in parts]


def _encoding(text: str) -> str:
    return GSM7 if all(c in SEPTETS for c in text) else UCS2


def _width(character: str, encoding: str) -> int:
    if encoding == GSM7:
        return len(SEPTETS[character])
    return 2 if ord(character) > 0xFFFF else 1


def _split(text: str, encoding: str) -> list[str]:
    single, several = ROOM[encoding]
    whole = list(_parts(text, encoding, single))
    return whole if len(whole) == 1 else list(_parts(text, encoding, several))


def _parts(text: str, encoding: str, room: int) -> Iterator[str]:
    """No part ends in the middle of a character."""
    start, left = 0, room
    for place, character in enumerate(text):
        width = _width(character, encoding)
        if width > left:
            yield text[start:place]
            start, left = place, room
        left -= width
    yield text[start:]
