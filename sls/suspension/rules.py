"""Refusals of suspending a device for all its users, and of resuming it. Pure."""

from django.utils.translation import gettext_lazy as _

from portal.errors import Reason


class SuspensionRefusal(Reason):
    NOT_ACTIVE = (
        "device_not_active",
        _("This device does not work anyway"),
        _("It is suspended already, or it was revoked or has expired."),
        _("Look at its state on the page of the device."),
    )
    NOT_SUSPENDED = (
        "device_not_suspended",
        _("This device is not suspended"),
        _("It was resumed meanwhile, or revoked, or staff have not suspended it."),
        _("Look at its state on the page of the device."),
    )
    FREEZE_THE_PHONE = (
        "freeze_the_phone",
        _("IB Key is on a phone"),
        _("All usernames on a phone are stopped and started together."),
        _("Freeze the phone, or let it work again, in the list of phones."),
    )
