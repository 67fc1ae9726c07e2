"""What the wizard's pages ask."""

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.credentials import LONGEST_PASSWORD

from .rules import NOTE_LENGTH


class OwnerCredentialsForm(forms.Form):
    """Step 6. Nothing typed here is kept; the password is not even shown again."""

    username = forms.CharField(
        label=_("Username of the device owner"),
        max_length=100,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    password = forms.CharField(
        label=_("Password of the device owner"),
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )


class NoteForm(forms.Form):
    """Step 8: the client's own words, for Compliance should it have to look at the request."""

    note = forms.CharField(
        label=_("Why do you need this? (optional)"),
        help_text=_("Only our Compliance department reads it, if it has to approve the request."),
        required=False,
        max_length=NOTE_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
