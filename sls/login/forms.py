"""What the login pages ask."""

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.credentials import LONGEST_PASSWORD
from sls.models import DeviceGrant, Preference


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
    first = forms.BooleanField(label=Preference.THIS_FIRST.label, required=False)
    every_time = forms.BooleanField(label=Preference.NONE_FIRST.label, required=False)

    def offer(self, grants: list[DeviceGrant]) -> None:
        widget = self.fields["grant"].widget
        assert isinstance(widget, forms.RadioSelect)
        widget.choices = [(g.pk, str(g.device)) for g in grants]
        if not any(g.is_preferred for g in grants):
            del self.fields["every_time"]

    @property
    def preference(self) -> Preference:
        """Of a valid form. Who ticks both wants this device first."""
        if self.cleaned_data["first"]:
            return Preference.THIS_FIRST
        wants_choice = self.cleaned_data.get("every_time")
        return Preference.NONE_FIRST if wants_choice else Preference.UNCHANGED
