"""Refusals of a password change. Pure."""

from django.utils.translation import gettext_lazy as _

from portal.errors import Reason


class PasswordRefusal(Reason):
    WRONG_PASSWORD = (
        "wrong_password",
        _("The present password does not match"),
        _("Your password has not been changed."),
        _("Check the present password and enter it again."),
        "kb1132",
    )
    TOO_MANY_ATTEMPTS = (
        "too_many_attempts",
        _("Too many attempts"),
        _("There were too many attempts that did not succeed."),
        _("Wait 24 hours after the last one, or contact Client Services."),
        "kb1132",
    )
