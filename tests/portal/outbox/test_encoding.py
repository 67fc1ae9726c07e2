"""How an SMS travels: 3GPP TS 23.038, and the room that the parts of a long text have."""

import pytest

from portal.outbox import encoding
from portal.outbox.encoding import GSM7, UCS2, Size, size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Size(GSM7, 0, 1)),
        ("204816 is your code", Size(GSM7, 19, 1)),
        ("@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà", Size(GSM7, 42, 1)),
        ("^{}\\[~]|€\f", Size(GSM7, 20, 1)),  # each takes two places
        ("a" * 160, Size(GSM7, 160, 1)),
        ("a" * 161, Size(GSM7, 161, 2)),
        ("a" * 306, Size(GSM7, 306, 2)),
        ("a" * 307, Size(GSM7, 307, 3)),
        ("a" * 158 + "€", Size(GSM7, 160, 1)),
        ("a" * 159 + "€", Size(GSM7, 161, 2)),
        # A part has room for 153: the escape and its character stay together, so one place is lost.
        ("a" * 152 + "€" + "a" * 152, Size(GSM7, 306, 3)),
        ("a" * 151 + "€" + "a" * 153, Size(GSM7, 306, 2)),
        ("ç", Size(UCS2, 1, 1)),  # only the capital one is in the alphabet
        ("`", Size(UCS2, 1, 1)),
        ("您的验证码是 204816", Size(UCS2, 13, 1)),
        ("验" * 70, Size(UCS2, 70, 1)),
        ("验" * 71, Size(UCS2, 71, 2)),
        ("验" * 134, Size(UCS2, 134, 2)),
        ("验" * 135, Size(UCS2, 135, 3)),
        ("😀" * 35, Size(UCS2, 70, 1)),  # two units each
        ("😀" * 67, Size(UCS2, 134, 3)),  # 33 to a part: no pair is torn
        ("a" * 69 + "€", Size(GSM7, 71, 1)),
        ("验" + "€" * 69, Size(UCS2, 70, 1)),  # in UCS-2 it is one unit as any other
    ],
)
def test_a_text_has_this_encoding_and_so_many_parts(text: str, expected: Size):
    assert size(text) == expected


def test_the_alphabet_has_every_place_of_the_standard_but_the_escape():
    assert len(encoding.ALPHABET) == len(set(encoding.ALPHABET)) == 128
    assert len(encoding.EXTENSION) == len(set(encoding.EXTENSION.values())) == 10
    assert not set(encoding.ALPHABET) & set(encoding.EXTENSION)
    assert len(encoding.SEPTETS) == 137
