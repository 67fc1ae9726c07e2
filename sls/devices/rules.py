"""Refusals of a proof of possession, and what a typed response may look like. Pure."""

from django.utils.translation import gettext_lazy as _

from portal.errors import Reason

TRIES_PER_CHALLENGE = 3


class ProofRefusal(Reason):
    INVALID_RESPONSE = (
        "invalid_response",
        _("The response does not match"),
        _("The response is not the one this device gives for what is shown."),
        _("Check what is shown and what the device displays, then enter the response again."),
        "kb2481#invalid_response",
    )
    CHALLENGE_EXPIRED = (
        "challenge_expired",
        _("The time to answer is over"),
        _("What was shown to your device is no longer valid, or has been answered already."),
        _("Start again to get a new one."),
        "kb2481#challenge_expired",
    )
    TOO_MANY_ATTEMPTS = (
        "too_many_attempts",
        _("Too many attempts"),
        _("There were too many attempts that did not succeed."),
        _("Wait 24 hours after the last one, or contact Client Services."),
        "kb2481#too_many_attempts",
    )
    CARD_USED_UP = (
        "card_used_up",
        _("This card is used up"),
        _("Every combination of index numbers of this card has been used."),
        _("Contact Client Services for a new card."),
        "kb1042",
    )


def plain_response(typed: str) -> str:
    """
    A response as it is compared: digits and capitals, outer blanks and the blanks of the display's
    grouping ("1234 5678") gone. Leading zeros stay: a response is text.
    """
    return "".join(typed.split()).upper()
