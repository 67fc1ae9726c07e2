"""What the device kinds are and may do. Pure; sources: facts.md sections 1, 8 and 9."""

from dataclasses import dataclass
from enum import StrEnum

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class DeviceKind(TextChoices):
    DSC_PLUS = "dsc_plus", _("Digital Security Card+ (DSC+)")
    CODE_CARD = "code_card", _("Security Code Card (SLS card)")
    IB_KEY = "ib_key", _("IB Key")
    SMS = "sms", _("SMS")
    ONLINE_CARD = "online_card", _("Online Security Code Card")
    TEMPORARY_CODE = "temporary_code", _("Temporary Code")


class Element(StrEnum):
    """The security element: what the system shows so that the device can answer."""

    CHALLENGE_CODE = "challenge_code"
    INDEX_NUMBERS = "index_numbers"
    CODE = "code"  # nothing is shown: the user has the code already


@dataclass(frozen=True)
class Traits:
    """
    `level` orders protection, higher is stronger; it is compared between physical devices only.
    `level_label` stands in the table of security levels. `is_returned` devices are sent back when they
    are no longer needed. A permanent device takes the place of SMS codes.
    """

    element: Element
    level: int
    level_label: str | Promise = ""
    is_physical: bool = False
    is_temporary: bool = False
    is_permanent: bool = False
    is_returned: bool = False
    admits_staff: bool = False


CATALOG: dict[DeviceKind, Traits] = {
    DeviceKind.DSC_PLUS: Traits(
        Element.CHALLENGE_CODE,
        level=30,
        level_label=_("Highest"),
        is_physical=True,
        is_permanent=True,
        is_returned=True,
        admits_staff=True,
    ),
    DeviceKind.CODE_CARD: Traits(
        Element.INDEX_NUMBERS,
        level=10,
        level_label=_("Lowest"),
        is_physical=True,
        is_permanent=True,
    ),
    DeviceKind.IB_KEY: Traits(
        Element.CHALLENGE_CODE, level=20, is_permanent=True, admits_staff=True
    ),
    DeviceKind.SMS: Traits(Element.CODE, level=5),
    DeviceKind.ONLINE_CARD: Traits(Element.INDEX_NUMBERS, level=10, is_temporary=True),
    DeviceKind.TEMPORARY_CODE: Traits(Element.CODE, level=0, is_temporary=True),
}


def traits(kind: str) -> Traits:
    return CATALOG[DeviceKind(kind)]


def is_shareable(kind: str) -> bool:
    """Only physical devices are shared: IB Key enables several users in its own app instead."""
    return traits(kind).is_physical


def shareable_kinds() -> list[DeviceKind]:
    """The rows of the table of security levels, strongest first."""
    kinds = [kind for kind in CATALOG if is_shareable(kind)]
    return sorted(kinds, key=lambda kind: -CATALOG[kind].level)


def permanent_kinds() -> list[DeviceKind]:
    return [kind for kind in CATALOG if CATALOG[kind].is_permanent]


def temporary_kinds() -> list[DeviceKind]:
    return [kind for kind in CATALOG if CATALOG[kind].is_temporary]


DSC_PLUS_SUITE = "OCRA-1:HOTP-SHA256-8:QN06-PSHA256"
IB_KEY_SUITE = "OCRA-1:HOTP-SHA256-8:QN06"
CHALLENGE_DIGITS = 6
PIN_DIGITS = 4
