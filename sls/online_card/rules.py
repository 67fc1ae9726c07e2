"""Refusals of the Online Security Code Card. Pure."""

from django.utils.translation import gettext_lazy as _

from portal.errors import Reason


class CardRefusal(Reason):
    REQUEST_OVER = (
        "card_request_over",
        _("This card no longer waits for you"),
        _("It was confirmed already, replaced by a newer one, or not confirmed in time."),
        _("Request a new Online Security Code Card."),
        "kb1873",
    )
    TOO_MANY_CARDS = (
        "too_many_cards",
        _("Too many cards"),
        _("You have requested as many cards as one day allows."),
        _("Use the last one, or try again tomorrow."),
        "kb1873",
    )
