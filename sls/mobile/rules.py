"""Refusals around mobile numbers. Pure."""

from django.utils.translation import gettext_lazy as _

from portal.errors import Reason


class NumberRefusal(Reason):
    PERMANENT_FIRST = (
        "permanent_device_first",
        _("Your security device is asked first"),
        _("A username of yours has a permanent device. Only with it can a number be added."),
        _("Log in with that username and its permanent device, or contact Client Services."),
        "kb1131",
    )
    PERMANENT_ACTIVE = (
        "permanent_device_active",
        _("SMS codes are not available"),
        _("You have a permanent security device. SMS codes cannot be put back beside it."),
        _("Log in with your device."),
        "kb1131",
    )
    NOT_VERIFIED = (
        "number_not_verified",
        _("The number is not verified yet"),
        _("SMS codes are sent only to a number that you have verified."),
        _("Verify the number first."),
        "kb1131",
    )
    TOO_MANY_NUMBERS = (
        "too_many_numbers",
        _("Too many numbers"),
        _("You have added as many numbers as one day allows."),
        _("Try again tomorrow, or contact Client Services."),
        "kb1131",
    )
    CHECK_OVER = (
        "number_check_over",
        _("This check is over"),
        _("The number was verified already, or a newer code was sent."),
        _("Start again from the list of numbers."),
        "kb1131",
    )
