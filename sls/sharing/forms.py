"""What the wizard's pages ask."""

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.credentials import LONGEST_PASSWORD


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
