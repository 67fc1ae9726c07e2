"""
Pure: how an SMS travels. One character outside the GSM alphabet (3GPP TS 23.038 section 6.2.1) makes the
whole text UCS-2, which holds less than half as much; a text of several parts loses room to their headers.
"""

from dataclasses import dataclass

ALPHABET = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = frozenset("\f^{}\\[~]|€")  # each takes two places
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
    encoding = GSM7 if all(c in ALPHABET or c in EXTENSION for c in text) else UCS2
    widths = [_width(c, encoding) for c in text]
    units = sum(widths)
    single, several = ROOM[encoding]
    return Size(encoding, units, 1 if units <= single else _parts(widths, several))


def _width(character: str, encoding: str) -> int:
    if encoding == GSM7:
        return 2 if character in EXTENSION else 1
    return 2 if ord(character) > 0xFFFF else 1


def _parts(widths: list[int], room: int) -> int:
    """No part ends in the middle of a character."""
    parts, left = 1, room
    for width in widths:
        if width > left:
            parts, left = parts + 1, room
        left -= width
    return parts
