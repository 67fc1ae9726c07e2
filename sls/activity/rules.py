"""Audit events in plain words; a link that is over. Pure."""

from django.utils.translation import gettext_lazy as _

from portal import events as of_portal
from portal.errors import Reason
from sls import events


class LinkRefusal(Reason):
    LINK_OVER = (
        "link_over",
        _("This link is over"),
        _("It has been used, it was open for too long, or the password has been changed since."),
        _("If something still looks wrong, contact Client Services."),
        "kb1132#not-me",
    )


WORDS = {
    events.DEVICE_PROVISIONED: _("Devices were taken into stock"),
    events.GRANT_STARTED: _("You got a security device"),
    events.DEVICE_REVOKED: _("A security device was revoked"),
    events.LOGIN_BEGUN: _("Login: password accepted"),
    events.LOGIN_CHALLENGED: _("Login: another device was chosen"),
    events.LOGIN_COMPLETED: _("Login completed"),
    events.LOGIN_UNFINISHED: _("Login: the password was right, the second factor did not follow"),
    events.LOGIN_DISOWNED: _("\u201cThis was not me\u201d: all sessions and the password ended"),
    events.LOGGED_OUT: _("Logged out"),
    events.SHARE_STARTED: _("Sharing: the device owner was named"),
    events.SHARE_PROVEN: _("Sharing: the device was confirmed"),
    events.SHARE_SUBMITTED: _("Sharing: the request was submitted"),
    events.SHARE_APPROVED: _("Sharing: approved and in force"),
    events.SHARE_CANCELLED: _("Sharing: cancelled"),
    events.SHARE_WITHDRAWN: _("Sharing: the request was withdrawn"),
    events.CARD_PRINTED: _("A Security Code Card was printed"),
    events.DEVICE_EXPIRED: _("A temporary device expired"),
    events.CARD_REQUESTED: _("An Online Security Code Card was requested"),
    events.CARD_SHOWN: _("An Online Security Code Card was looked at"),
    events.CARD_CONFIRMED: _("An Online Security Code Card was confirmed"),
    events.CODE_REQUESTED: _("Client Services prepared a Temporary Code"),
    events.CODE_CONFIRMED: _("A second member of staff confirmed the Temporary Code"),
    events.CODE_DECLINED: _("A second member of staff declined the Temporary Code"),
    events.CODE_REVEALED: _("Client Services read a Temporary Code out"),
    events.CODE_EXPIRED: _("A prepared Temporary Code was not read out in time"),
    events.NUMBER_ADDED: _("A mobile number was added"),
    events.NUMBER_ASKED: _("A code was sent to a mobile number"),
    events.NUMBER_VERIFIED: _("A mobile number was verified"),
    events.SMS_STARTED: _("SMS codes are asked for at the login"),
    events.SMS_ENDED: _("SMS codes ended because of a permanent device"),
    events.PASSWORD_CHANGED: _("The password was changed"),
    events.RESET_ASKED: _("A link for a forgotten password was sent"),
    events.RESET_STARTED: _("Forgotten password: the link was opened"),
    events.RESET_PROVEN: _("Forgotten password: the device was confirmed"),
    events.PASSWORD_RESET: _("A new password was set in place of the forgotten one"),
    of_portal.USER_LOCKED: _("Our staff locked your username"),
    of_portal.USER_UNLOCKED: _("Our staff unlocked your username"),
    events.SESSION_ENDED: _("A session was ended from the list of sessions"),
}
REFUSED_WORDS = {
    events.RESET_ASKED: _("A link for a forgotten password was asked for, and not sent"),
    events.RESET_STARTED: _("Forgotten password: opening the link was refused"),
    events.RESET_PROVEN: _("Forgotten password: the response was refused"),
    events.PASSWORD_RESET: _("Forgotten password: setting a new one was refused"),
    of_portal.USER_LOCKED: _("Locking your username was refused"),
    of_portal.USER_UNLOCKED: _("Unlocking your username was refused"),
    events.PASSWORD_CHANGED: _("Changing the password was refused"),
    events.NUMBER_ADDED: _("Adding a mobile number was refused"),
    events.NUMBER_ASKED: _("Sending a code to a mobile number was refused"),
    events.NUMBER_VERIFIED: _("Verifying a mobile number was refused"),
    events.SMS_STARTED: _("Using SMS codes at the login was refused"),
    events.CARD_REQUESTED: _("Requesting an Online Security Code Card was refused"),
    events.CARD_SHOWN: _("Looking at an Online Security Code Card was refused"),
    events.CARD_CONFIRMED: _("Confirming an Online Security Code Card was refused"),
    events.CODE_REQUESTED: _("Preparing a Temporary Code was refused"),
    events.CODE_CONFIRMED: _("Confirming a Temporary Code was refused"),
    events.CODE_DECLINED: _("Declining a Temporary Code was refused"),
    events.CODE_REVEALED: _("Reading a Temporary Code out was refused"),
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
