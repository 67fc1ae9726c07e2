"""
Countries, as rows of data: what a client who waits for an SMS there should know, and what a part costs.

The source names India's registry against telemarketing (IB Key for Android and iPhone, frequent questions); a
row more is a country more.
"""

from dataclasses import dataclass

import phonenumbers
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

ANYWHERE = "*"
UNKNOWN = "ZZ"  # as the library spells it


@dataclass(frozen=True)
class Country:
    """`weight`: cost units of one part, 1 being the price of the cheapest countries."""

    advice: tuple[str | Promise, ...] = ()
    weight: int = 1


REGISTRY = _(
    "A number on a do-not-disturb or do-not-call registry may get no SMS. Ask your carrier to let our "
    "messages through, or use another number."
)
FILTER = _(
    "Carriers here filter messages from abroad. Ask your carrier whether one is held back, and look among "
    "the messages from unknown senders."
)
OTHER_WAY = _(
    "A device that needs no SMS works at once: choose another device, or show a passcode in the phone "
    "app."
)

COUNTRIES: dict[str, Country] = {
    "IN": Country((REGISTRY, OTHER_WAY)),
    "CN": Country((FILTER, OTHER_WAY), weight=2),
    "ID": Country((FILTER,), weight=5),
    "SG": Country((REGISTRY,)),
    "US": Country((REGISTRY,)),
    "GB": Country(),
    ANYWHERE: Country(weight=2),
}


def of(e164: str) -> str:
    """The ISO code of the number's country; "*" for one that belongs to none."""
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return ANYWHERE
    region = phonenumbers.region_code_for_number(number)
    region = region or phonenumbers.region_code_for_country_code(number.country_code or 0)
    if region and region.isalpha() and len(region) == 2 and region != UNKNOWN:
        return region
    return ANYWHERE


def row(country: str) -> Country:
    return COUNTRIES.get(country, COUNTRIES[ANYWHERE])
