"""Who may activate a phone, at once or after a waiting time, and refusals of an activation. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from django.utils.translation import gettext_lazy as _

from portal.errors import Reason
from sls.numbers import NumberFault

CODE_DIGITS = 6
READY_LIFE = timedelta(days=1)  # for an activation whose waiting time is over


class Verdict(StrEnum):
    NOW = "now"
    WAIT = "wait"


@dataclass(frozen=True)
class Standing:
    """
    What is known of an activation besides the password: abuse-cases.md section 3, decision 8, and case 73.
    `is_protected`: the username has, or once had, a permanent device.
    """

    is_protected: bool
    has_device: bool
    has_agreed: bool
    is_first_number: bool


class ActivationRefusal(Reason):
    ACTIVATION_OVER = (
        "activation_over",
        _("This activation is over"),
        _("It was open for too long, or was replaced by a newer one."),
        _("Choose Register Two-Factor to start again."),
        "kb2748",
    )
    DEVICE_MUST_AGREE = (
        "device_must_agree",
        _("A device of yours must agree first"),
        _(
            "This username is protected by a device already. It, or the PIN of the earlier phone, must agree."
        ),
        _("Answer with the device, or recover with your PIN on the number first used."),
        "kb2748",
    )
    NUMBER_NOT_ALLOWED = (
        "number_not_allowed",
        _("This number cannot be used"),
        _("Without another device the code goes only to the number first used."),
        _("Choose the number first used, or contact Client Services."),
        "kb2748",
    )
    NUMBER_NOT_DIGITS = (
        "number_not_digits",
        _("Enter digits only"),
        _("The number holds something else: blanks, a plus or other signs."),
        _(
            "Enter the number without spaces or special characters; the country is chosen beside it."
        ),
        "kb2277#activation",
    )
    NUMBER_HAS_PREFIX = (
        "number_has_prefix",
        _("Leave out the prefix"),
        _("The number begins with the country's trunk prefix or code."),
        _("Enter the number without it: in most countries, without the first zero."),
        "kb2277#activation",
    )
    NUMBER_INVALID = (
        "number_invalid",
        _("This is no mobile number of that country"),
        _("Codes are sent to mobile numbers only, in the countries of the list."),
        _("Check country and number."),
        "kb2277#activation",
    )
    TOO_SOON = (
        "too_soon",
        _("The code was sent a moment ago"),
        _("A code is sent again every 60 seconds at most."),
        _("Wait a little. If no code comes, ask your carrier whether text messages are blocked."),
        "kb2260#faq-4",
    )
    TOO_MANY_ATTEMPTS = (
        "too_many_attempts",
        _("Too many attempts"),
        _("There were too many attempts that did not succeed."),
        _("Wait 24 hours after the last one, or contact Client Services."),
        "kb2260",
    )
    WRONG_CODE = (
        "wrong_code",
        _("The Activation Code does not match"),
        _("It is not the code of the last message."),
        _("Check the message and enter the code again."),
        "kb2260#faq-4",
    )
    CODE_OVER = (
        "code_over",
        _("This Activation Code is over"),
        _("It is older than 10 minutes, was used, or was entered wrong too often."),
        _("Get a new code."),
        "kb2260#faq-4",
    )
    NO_ELEMENT = (
        "no_element",
        _("A security element is missing"),
        _("The phone needs a PIN, a fingerprint or a face to be activated with."),
        _("Define one of them."),
        "kb2278#activation",
    )
    ALREADY_ON_PHONE = (
        "already_on_phone",
        _("This username is on this phone already"),
        _("It is active here."),
        _("Go back to the list of your users."),
        "kb3432",
    )
    STILL_WAITING = (
        "still_waiting",
        _("The waiting time runs"),
        _(
            "The activation is possible after the waiting time, unless it is cancelled by the link in our message."
        ),
        _("Come back later."),
        "kb2748",
    )


NUMBER_REFUSALS = {
    NumberFault.NOT_DIGITS: ActivationRefusal.NUMBER_NOT_DIGITS,
    NumberFault.HAS_PREFIX: ActivationRefusal.NUMBER_HAS_PREFIX,
    NumberFault.INVALID: ActivationRefusal.NUMBER_INVALID,
}


def refuses_number(standing: Standing) -> ActivationRefusal | None:
    """May a code go to this number? What forbids it."""
    if not standing.is_protected or standing.has_agreed or standing.is_first_number:
        return None
    if standing.has_device:
        return ActivationRefusal.DEVICE_MUST_AGREE
    return ActivationRefusal.NUMBER_NOT_ALLOWED


def verdict(
    standing: Standing, *, is_pin_right: bool, accepts_wait: bool
) -> Verdict | ActivationRefusal:
    """
    With the password and the code proven: now, later, or not so. Whoever is protected needs one thing more
    than those two: a device, the earlier PIN, or a waiting time in which the client can object.
    """
    if refusal := refuses_number(standing):
        return refusal
    if not standing.is_protected or standing.has_agreed or is_pin_right:
        return Verdict.NOW
    return Verdict.WAIT if accepts_wait else ActivationRefusal.DEVICE_MUST_AGREE
