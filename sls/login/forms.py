"""What the login pages ask."""

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.credentials import LONGEST_PASSWORD
from sls.models import DeviceGrant


class PasswordForm(forms.Form):
    look: ClassVar[dict[str, Any]] = {}

    username = forms.CharField(
        label=_("Username"),
        max_length=100,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "username",
                "autocapitalize": "none",
                "spellcheck": "false",
                "autofocus": True,
            }
        ),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class DeviceForm(forms.Form):
    """Select Second Factor Device. What may be chosen is checked by the operation, not by the list."""

    grant = forms.IntegerField(widget=forms.RadioSelect, label=_("Select Second Factor Device"))

    def offer(self, grants: list[DeviceGrant]) -> None:
        widget = self.fields["grant"].widget
        assert isinstance(widget, forms.RadioSelect)
        widget.choices = [(g.pk, str(g.device)) for g in grants]
