"""Changing one's own password, and what a forgotten one needs."""

from typing import Any

from django import forms
from django.contrib.auth.password_validation import (
    password_validators_help_text_html,
    validate_password,
)
from django.utils.translation import gettext_lazy as _

from portal.credentials import LONGEST_PASSWORD
from portal.models import User
from sls.models import DeviceGrant


class NewPasswordForm(forms.Form):
    """A new password, typed twice, judged by the validators."""

    new = forms.CharField(
        label=_("New password"),
        strip=False,
        max_length=LONGEST_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=password_validators_help_text_html(),
    )
    again = forms.CharField(
        label=_("New password again"),
        strip=False,
        max_length=LONGEST_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_new(self) -> str:
        new: str = self.cleaned_data["new"]
        validate_password(new, self.user)
        return new

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "new" in cleaned and cleaned["new"] != cleaned.get("again"):
            self.add_error(
                "again", forms.ValidationError(_("The two new passwords differ."), code="differ")
            )
        return cleaned


class PasswordChangeForm(NewPasswordForm):
    old = forms.CharField(
        label=_("Present password"),
        strip=False,
        max_length=LONGEST_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    field_order = ("old", "new", "again")


class ForgotForm(forms.Form):
    username = forms.CharField(
        label=_("Username"),
        max_length=100,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )


class ResetDeviceForm(forms.Form):
    """Which device. What may be chosen is checked by the operation, not by the list."""

    grant = forms.IntegerField(widget=forms.RadioSelect, label=_("Select Second Factor Device"))

    def offer(self, grants: list[DeviceGrant]) -> None:
        widget = self.fields["grant"].widget
        assert isinstance(widget, forms.RadioSelect)
        widget.choices = [(g.pk, str(g.device)) for g in grants]
