"""Refusals of a password change or reset. Pure."""

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
    LINK_OVER = (
        "link_over",
        _("This link is over"),
        _("It has been used, it was open for too long, or the password has been changed since."),
        _("Ask for a new link on the login page."),
        "kb1132#forgotten",
    )
    RESET_OVER = (
        "reset_over",
        _("Setting the new password is over"),
        _("It took too long, was finished already, or something changed meanwhile."),
        _("Open the link in the message again, or ask for a new one on the login page."),
        "kb1132#forgotten",
    )
    NEWER_CHALLENGE = (
        "newer_login",
        _("Only the newest challenge counts"),
        _("You asked for another challenge in another tab or window."),
        _("Answer what is shown now. Nothing you entered was counted."),
        "kb1132#forgotten",
    )
    DEVICE_REQUIRED = (
        "device_required",
        _("A security device is required"),
        _("A new password is set with a security device, and this username has no active one."),
        _("Contact Client Services to get back in."),
        "kb1132#forgotten",
    )
