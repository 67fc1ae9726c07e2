"""A new number, and the code that verifies it."""

from typing import Any

import phonenumbers
from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from sls import numbers
from sls.catalog import Element
from sls.devices.forms import ResponseForm

WORDS = {
    numbers.NumberFault.NOT_DIGITS: _("Use digits only, without blanks or other characters."),
    numbers.NumberFault.HAS_PREFIX: _("Leave out the trunk prefix and the country's code."),
    numbers.NumberFault.INVALID: _("This is no mobile number of this country."),
}


def allowed() -> frozenset[str]:
    return frozenset(settings.PHONE_COUNTRIES or phonenumbers.SUPPORTED_REGIONS)


class NumberForm(forms.Form):
    """`cleaned_data["e164"]` is the whole number."""

    country = forms.ChoiceField(label=_("Country"))
    national = forms.CharField(
        label=_("Mobile Number"),
        max_length=20,
        strip=True,
        help_text=_("Digits only, without the country's code and without a trunk prefix."),
        widget=forms.TextInput(attrs={"autocomplete": "tel-national", "inputmode": "numeric"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = numbers.countries(allowed())
        choices = [(row.country, f"+{row.calling_code} {row.country}") for row in rows]
        field = self.fields["country"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def clean(self) -> dict[str, Any]:
        what = super().clean() or {}
        if "country" in what and "national" in what:
            try:
                what["e164"] = numbers.mobile_number(
                    what["country"], what["national"], allowed=allowed()
                )
            except numbers.NumberRefused as refused:
                error = forms.ValidationError(WORDS[refused.fault], code=refused.fault.value)
                self.add_error("national", error)
        return what


class CodeForm(ResponseForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, element=Element.CODE, has_digits=True, **kwargs)
