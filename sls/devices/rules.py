"""Refusals of a proof and of staff's work with devices; what a typed response may look like. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from portal.errors import Reason
from sls.catalog import DeviceKind, traits

TRIES_PER_CHALLENGE = 3
TRIES_PER_SMS_CODE = 5


class ProofRefusal(Reason):
    INVALID_RESPONSE = (
        "invalid_response",
        _("The response does not match"),
        _("The response is not the one this device gives for what is shown."),
        _("Check what is shown and what the device displays, then enter the response again."),
        "share-messages#invalid_response",
    )
    CHALLENGE_EXPIRED = (
        "challenge_expired",
        _("The time to answer is over"),
        _("What was shown to your device is no longer valid, or has been answered already."),
        _("Start again to get a new one."),
        "share-messages#challenge_expired",
    )
    TOO_MANY_ATTEMPTS = (
        "too_many_attempts",
        _("Too many attempts"),
        _("There were too many attempts that did not succeed."),
        _("Wait 24 hours after the last one, or contact Client Services."),
        "share-messages#too_many_attempts",
    )
    TOO_MANY_MESSAGES = (
        "too_many_messages",
        _("Too many messages"),
        _("As many SMS codes have been sent as one day allows."),
        _("Try again tomorrow, or contact Client Services."),
        "kb1131",
    )
    TOO_SOON = (
        "too_soon",
        _("The code is on its way"),
        _("A new code can be sent a minute after the last one."),
        _("Wait a moment for the message, or try again then."),
        "kb1131",
    )
    CARD_USED_UP = (
        "card_used_up",
        _("This card is used up"),
        _("Every combination of index numbers of this card has been used."),
        _("Contact Client Services for a new card."),
        "kb1042",
    )


class StockRefusal(Reason):
    """What staff may not do with devices."""

    OWN_PERSON = (
        "own_person",
        _("This device is your own"),
        _("You, or another username of yours, are among those who use the device."),
        _("Ask a colleague: nobody decides about his own devices."),
    )
    STAFF_USERNAME = (
        "staff_username",
        _("A username of staff is concerned"),
        _("Devices of staff are given, shown and taken away by an administrator."),
        _("Ask an administrator."),
    )
    SERIAL_TAKEN = (
        "serial_taken",
        _("A serial number is known already"),
        _("Somebody has just imported a device with one of these serial numbers."),
        _("Upload the file again to see which."),
    )
    OWNER_UNKNOWN = (
        "owner_unknown",
        _("A username is unknown or deactivated"),
        _("A device can be handed over to an active username only."),
        _("Upload the file again to see which."),
    )
    CARD_IN_USE = (
        "card_in_use",
        _("The card is in use"),
        _("It has answered already. A card is printed before its first use only."),
        _("Import a new card and revoke this one."),
    )
    NOT_PRINTABLE = (
        "not_printable",
        _("This device cannot be printed"),
        _("Only a Security Code Card that is not revoked can be printed."),
        _("Choose another device."),
    )
    WOULD_STRAND = (
        "would_strand_users",
        _("No way in would remain"),
        _("A username that uses the device could no longer log in."),
        _("Issue a Temporary Code first, or confirm that you mean it."),
    )


EXPIRES_SOON = timedelta(days=3)


class Held(Protocol):
    """A live grant as `queries.holdings` reads it."""

    @property
    def grant_id(self) -> int: ...
    @property
    def device_id(self) -> UUID: ...
    @property
    def kind(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def device_state(self) -> str: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def is_borrowed(self) -> bool: ...


H = TypeVar("H", bound=Held)


@dataclass(frozen=True)
class Loss:
    """What somebody is about to take away: devices for everybody who uses them, or single grants."""

    devices: frozenset[UUID] = frozenset()
    grants: frozenset[int] = frozenset()

    def takes(self, held: Held) -> bool:
        return held.device_id in self.devices or held.grant_id in self.grants


NOTHING = Loss()


def ways_in(held: Iterable[H], loss: Loss = NOTHING) -> list[H]:
    """
    Which of one user's live grants let him in after `loss`. What sleeps for the sake of a borrowed device
    wakes when that is lost; SMS codes count only for want of a permanent device.
    """
    grants = list(held)
    wakes = any(loss.takes(one) and one.is_borrowed and one.state == "active" for one in grants)
    good = {"active", "dormant"} if wakes else {"active"}
    open_now = [one for one in grants if one.state == "active" and one.device_state == "active"]
    ends_sms = any(traits(one.kind).is_permanent for one in open_now)
    return [
        one
        for one in grants
        if not loss.takes(one)
        and one.state in good
        and one.device_state == "active"
        and not (one.kind == DeviceKind.SMS and ends_sms)
    ]


def strands(held: Sequence[H], loss: Loss) -> bool:
    """Has he a way in now, and none after `loss`? Who had none before is not stranded by it."""
    return bool(ways_in(held)) and not ways_in(held, loss)


def ends_soon(held: Iterable[H], now: datetime) -> list[H]:
    """Those that end by themselves in the next days."""
    return [one for one in held if one.expires_at and one.expires_at <= now + EXPIRES_SOON]


@dataclass(frozen=True)
class StockLine:
    """
    One device to take into stock. `secret` is a DSC+'s key in hex digits, or a card's cells one after
    the other (empty: new ones are drawn); `username` is its owner's, empty for a device kept in stock.
    """

    kind: str
    serial: str
    secret: str
    pin: str
    username: str


CARD_COLUMNS = 8


def card_rows(cells: Sequence[str]) -> list[list[tuple[int, str]]]:
    """The cells with their indexes, as the rows of the card: 1 to 8 in the first one."""
    numbered = list(enumerate(cells, 1))
    starts = range(0, len(numbered), CARD_COLUMNS)
    return [numbered[start : start + CARD_COLUMNS] for start in starts]


def plain_response(typed: str) -> str:
    """
    A response as it is compared: digits and capitals, outer blanks and the blanks of the display's
    grouping ("1234 5678") gone. Leading zeros stay: a response is text.
    """
    return "".join(typed.split()).upper()
