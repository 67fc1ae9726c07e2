"""Audit events in plain words. Pure."""

from django.utils.translation import gettext_lazy as _

from sls import events

WORDS = {
    events.DEVICE_PROVISIONED: _("Devices were taken into stock"),
    events.GRANT_STARTED: _("You got a security device"),
    events.DEVICE_REVOKED: _("A security device was revoked"),
    events.LOGIN_BEGUN: _("Login: password accepted"),
    events.LOGIN_CHALLENGED: _("Login: another device was chosen"),
    events.LOGIN_COMPLETED: _("Login completed"),
    events.LOGGED_OUT: _("Logged out"),
    events.SHARE_STARTED: _("Sharing: the device owner was named"),
    events.SHARE_PROVEN: _("Sharing: the device was confirmed"),
    events.SHARE_SUBMITTED: _("Sharing: the request was submitted"),
    events.SHARE_APPROVED: _("Sharing: approved and in force"),
    events.SHARE_CANCELLED: _("Sharing: cancelled"),
    events.SHARE_WITHDRAWN: _("Sharing: the request was withdrawn"),
    events.CARD_PRINTED: _("A Security Code Card was printed"),
    events.PASSWORD_CHANGED: _("The password was changed"),
    events.SESSION_ENDED: _("A session was ended from the list of sessions"),
}
REFUSED_WORDS = {
    events.PASSWORD_CHANGED: _("Changing the password was refused"),
    events.LOGIN_BEGUN: _("Login: refused"),
    events.LOGIN_CHALLENGED: _("Login: choosing a device was refused"),
    events.LOGIN_COMPLETED: _("Login: the response was refused"),
    events.SHARE_STARTED: _("Sharing: the device owner was refused"),
    events.SHARE_PROVEN: _("Sharing: the response was refused"),
    events.SHARE_SUBMITTED: _("Sharing: the request was refused"),
    events.SHARE_CANCELLED: _("Sharing: cancelling was refused"),
    events.SHARE_WITHDRAWN: _("Sharing: withdrawing was refused"),
}


def event_in_words(event: str, *, refused: bool) -> str:
    """What happened, for the one it concerns; an event without words of its own shows its name."""
    words = REFUSED_WORDS if refused and event in REFUSED_WORDS else WORDS
    return str(words[event]) if event in words else event
