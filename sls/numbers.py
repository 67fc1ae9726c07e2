"""
Mobile numbers as they are typed: a country and the national number, digits only (KB2277, KB2278 note 1). Pure.

Nothing is dropped silently: a trunk prefix, a plus or a blank is refused with a hint, since a number that was
"mended" may be somebody else's.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneNumberType

MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
LONGEST = 15


class NumberFault(StrEnum):
    NOT_DIGITS = "number_not_digits"
    HAS_PREFIX = "number_has_prefix"
    INVALID = "number_invalid"


class NumberRefused(Exception):
    def __init__(self, fault: NumberFault) -> None:
        super().__init__(fault)
        self.fault = fault


class Country(NamedTuple):
    country: str
    calling_code: str
    example: str


def mobile_number(country: str, national: str, *, allowed: frozenset[str]) -> str:
    """
    The number in E.164 form. Raises NumberRefused for what is no mobile number of that country; premium,
    fixed and satellite numbers are none, nor is any number of a country that is not among `allowed`.
    """
    if not (national.isascii() and national.isdigit()):
        raise NumberRefused(NumberFault.NOT_DIGITS)
    if country not in allowed or len(national) > LONGEST:
        raise NumberRefused(NumberFault.INVALID)
    if _has_prefix(country, national):
        raise NumberRefused(NumberFault.HAS_PREFIX)
    number = _number(country, national)
    if not _is_valid(country, national):
        raise NumberRefused(NumberFault.INVALID)
    if phonenumbers.number_type(number) not in MOBILE:
        raise NumberRefused(NumberFault.INVALID)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _number(country: str, national: str) -> phonenumbers.PhoneNumber:
    """A leading zero belongs to the number in a few countries, such as Côte d'Ivoire; never in most."""
    zeros = len(national) - len(national.lstrip("0"))
    return phonenumbers.PhoneNumber(
        country_code=phonenumbers.country_code_for_region(country),
        national_number=int(national),
        italian_leading_zero=zeros > 0 or None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )


def _is_valid(country: str, national: str) -> bool:
    if not national:
        return False
    return phonenumbers.is_valid_number_for_region(_number(country, national), country)


def _has_prefix(country: str, national: str) -> bool:
    """Is the number wrong as it stands, but right without the trunk prefix or the country's code?"""
    if _is_valid(country, national):
        return False
    code = str(phonenumbers.country_code_for_region(country))
    trunk = phonenumbers.ndd_prefix_for_region(country, True) or ""
    return any(
        national.startswith(prefix) and _is_valid(country, national.removeprefix(prefix))
        for prefix in (trunk, code, "00" + code)
        if prefix
    )


def allowed_countries(setting: Iterable[str]) -> frozenset[str]:
    """PHONE_COUNTRIES as a set; none means every country there is."""
    return frozenset(setting) or frozenset(phonenumbers.SUPPORTED_REGIONS)


def countries(allowed: frozenset[str]) -> list[Country]:
    """The countries a number may be added of, by calling code."""
    rows = []
    for country in sorted(allowed & phonenumbers.SUPPORTED_REGIONS):
        example = phonenumbers.example_number_for_type(country, PhoneNumberType.MOBILE)
        digits = phonenumbers.national_significant_number(example) if example else ""
        rows.append(Country(country, str(phonenumbers.country_code_for_region(country)), digits))
    return sorted(rows, key=lambda row: (int(row.calling_code), row.country))


def masked(e164: str) -> str:
    """ "+44 ••• 042": enough to know one's own number by."""
    number = phonenumbers.parse(e164)
    return f"+{number.country_code} ••• {e164[-3:]}"
