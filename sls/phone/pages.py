"""What the pages about phones ask; the JSON bodies are read by `forms`."""

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.credentials import LONGEST_PASSWORD


class LostForm(forms.Form):
    username = forms.CharField(
        label=_("Username"),
        max_length=100,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
