"""
What makes a PIN of the phone app good: KB2269, as far as it can be checked. Pure.

A PIN is refused when it equals one of the person's data in any usual writing, or is a run of at least four
characters of it. Birthdays of the family and addresses are not on record: they are advice on the page.
"""

import datetime
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

SHORTEST, LONGEST = 4, 6
RUN = 4

COMMON = frozenset(
    [
        "pass",
        "passwd",
        "qwerty",
        "qwertz",
        "azerty",
        "letmein",
        "admin",
        "login",
        "secret",
        "iloveu",
        "monkey",
        "dragon",
        "master",
        "abc123",
        "123abc",
        "a1b2c3",
        "1a2b3c",
        "1q2w3e",
        "q1w2e3",
        "1qaz",
        "zaq1",
        "1212",
        "1004",
        "2000",
        "4321",
        "1122",
        "2580",
        "0852",
        "159753",
        "147258",
        "112233",
        "121212",
        "131313",
        "123123",
        "321321",
        "696969",
        "007007",
        "520520",
        "521521",
        "1314",
        "5201",
        "520131",
        "168168",
        "888666",
    ]
)
ROWS = (
    "0123456789",
    "9876543210",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
)


class Guidelines(StrEnum):
    """The setting PIN_GUIDELINES."""

    STRICT = "strict"
    ADVISORY = "advisory"


class PinFault(StrEnum):
    FORM = "form"
    COMMON = "common"
    BIRTH_DATE = "birth_date"
    DOCUMENT = "document"
    PHONE_NUMBER = "phone_number"
    NAME = "name"


@dataclass(frozen=True)
class PersonalData:
    """What of a person a PIN is compared with."""

    dates_of_birth: tuple[datetime.date, ...] = ()
    documents: tuple[str, ...] = ()
    phone_numbers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def plain(pin: str) -> str:
    """A PIN as it is compared and kept: composed letters."""
    return unicodedata.normalize("NFC", pin)


def has_form(pin: str) -> bool:
    """4 to 6 characters; letters, digits and special ones, but no blanks and nothing invisible."""
    visible = all(unicodedata.category(c)[0] not in "CZ" for c in pin)
    return visible and SHORTEST <= len(pin) <= LONGEST


def faults(pin: str, person: PersonalData) -> list[PinFault]:
    """Which guidelines the PIN breaks, all of them; the form alone when that is wrong."""
    if not has_form(pin):
        return [PinFault.FORM]
    text = _folded(pin)
    found = {
        PinFault.COMMON: _is_common(text),
        PinFault.BIRTH_DATE: any(text in date_writings(date) for date in person.dates_of_birth),
        PinFault.DOCUMENT: _is_part_of(text, person.documents),
        PinFault.PHONE_NUMBER: _is_part_of(text, person.phone_numbers),
        PinFault.NAME: _is_part_of(text, person.names) or _holds(text, person.names),
    }
    return [fault for fault, is_broken in found.items() if is_broken]


def _folded(text: str) -> str:
    """Letters and digits in one case, so that "LX 204-77" and "lx20477" are the same."""
    composed = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in composed if c.isalnum()) or composed


def _is_common(text: str) -> bool:
    if text in COMMON or any(text in row or text[::-1] in row for row in ROWS):
        return True
    # 1111, 121212, abab: one or two characters again and again.
    return any(text == (text[:size] * len(text))[: len(text)] for size in (1, 2))


def date_writings(date: datetime.date) -> set[str]:
    """A date as people write it in 4 to 6 digits: with and without leading zeros, in every order."""
    days = {f"{date.day:02}", str(date.day)}
    months = {f"{date.month:02}", str(date.month)}
    years = {f"{date.year:04}", f"{date.year % 100:02}"}
    parts = [(d, m, y) for d in days for m in months for y in years]
    written = {f"{date.year:04}"}
    for d, m, y in parts:
        written |= {d + m, m + d, d + m + y, m + d + y, y + m + d, y + d + m}
        written |= {m + y, y + m, d + y, y + d}
    return {text for text in written if SHORTEST <= len(text) <= LONGEST}


def _is_part_of(text: str, data: Iterable[str]) -> bool:
    return any(text in _folded(value) for value in data if len(_folded(value)) >= RUN)


def _holds(text: str, data: Iterable[str]) -> bool:
    """Is a name of four letters or more inside the PIN?"""
    words = {_folded(word) for value in data for word in re.split(r"[\W_]+", value)}
    return any(word in text for word in words if len(word) >= RUN)
