"""Refusals of a login. Pure."""

from django.utils.translation import gettext_lazy as _

from portal.errors import Reason


class LoginRefusal(Reason):
    INVALID_CREDENTIALS = (
        "invalid_credentials",
        _("Invalid username password combination"),
        _("The username and password do not match, or the username cannot log in at the moment."),
        _("Check both and try again. After ten failed logins a username is locked for 24 hours."),
        "kb1132",
    )
    LOGIN_OVER = (
        "login_over",
        _("This login is over"),
        _("It was open for too long, or was replaced by a newer one."),
        _("Log in again."),
        "kb1132",
    )
    DEVICE_REQUIRED = (
        "device_required",
        _("A security device is required"),
        _("This username has no active security device at the moment."),
        _("Contact Client Services to get back in."),
        "kb70",
    )
