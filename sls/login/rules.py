"""Refusals of a login. Pure."""

from django.utils.translation import gettext_lazy as _

from portal.errors import Reason


class LoginRefusal(Reason):
    INVALID_CREDENTIALS = (
        "invalid_credentials",
        _("Invalid username password combination"),
        _("The username and password do not match, or the username cannot log in at the moment."),
        _(
            "Check both and try again. After four failed logins in a row each further one has to wait, "
            "longer every time; after ten the username is locked for 24 hours. "
            "Client Services can help before that."
        ),
        "kb1132",
    )
    NEWER_LOGIN = (
        "newer_login",
        _("Only the newest challenge counts"),
        _("You began to log in again, or asked for another challenge, in another tab or window."),
        _("Answer what is shown now. Nothing you entered was counted."),
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
