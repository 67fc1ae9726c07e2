"""The SLS enrolment menu."""

from django import forms
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Choice(TextChoices):
    """The three ways of the menu, in the source's order."""

    PHONE = "phone", _("Install the mobile app and use my phone as my Secure Login Device")
    CARD = "card", _("Enroll without the mobile app")
    SHARE = "share", _("I already have access to a Secure Login Device under a different username")


class EnrolmentForm(forms.Form):
    choice = forms.ChoiceField(
        label=_("How do you want to enroll?"), choices=Choice, widget=forms.RadioSelect
    )
