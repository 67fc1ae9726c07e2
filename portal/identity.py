"""
Is this the same natural person or organisation? Pure: values in, values out.

Source: "How to share a security device", prerequisite a). What counts as equal is tabled in
docs/identity.md; the short form: nothing is guessed, and a missing field never matches, not even
another missing one.
"""

import datetime
import unicodedata
from dataclasses import dataclass

US = "US"


@dataclass(frozen=True)
class Identification:
    """
    One side of the comparison.

    The two numbers are keyed indexes (see `portal.vault.index`), so equality can be told without ever
    opening them. Countries are ISO 3166-1 alpha-2 codes. An empty value means "not on record".
    """

    date_of_birth: datetime.date | None
    citizenship: str
    country_of_residence: str
    document_type: str
    document_number: str
    social_security_number: str

    @property
    def is_us_person(self) -> bool:
        return US in (self.citizenship, self.country_of_residence)


FIELDS = (
    "date_of_birth",
    "citizenship",
    "country_of_residence",
    "document_type",
    "document_number",
)
US_FIELDS = ("date_of_birth", "social_security_number")


def compared_fields(a: Identification, b: Identification) -> tuple[str, ...]:
    """The Social Security Number stands in for the document where both are US citizens or residents."""
    return US_FIELDS if a.is_us_person and b.is_us_person else FIELDS


def differences(a: Identification, b: Identification) -> tuple[str, ...]:
    """Names of the fields that differ, or that either side lacks; empty when both are the same person."""
    return tuple(
        name
        for name in compared_fields(a, b)
        if not getattr(a, name) or getattr(a, name) != getattr(b, name)
    )


def normalise_number(text: str) -> str:
    """
    A document or Social Security number as it is compared: compatibility forms composed, upper case,
    without blanks and hyphens. The letter O and the digit 0 stay different.
    """
    composed = unicodedata.normalize("NFKC", text).upper()
    return "".join(c for c in composed if not (c.isspace() or unicodedata.category(c) == "Pd"))
