"""The field for a device's response; the same on every page that asks for one."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sls.catalog import Element


class ResponseForm(forms.Form):
    """One field, into which the whole response is typed or pasted."""

    response = forms.CharField(
        label=_("Response code"),
        max_length=40,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "autocapitalize": "characters",
                "spellcheck": "false",
                "class": "code-input",
            }
        ),
    )

    def __init__(self, *args: Any, element: Element, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.element = element
        if element is Element.CHALLENGE_CODE:
            self.fields["response"].widget.attrs["inputmode"] = "numeric"

    def clean_response(self) -> str:
        """A display groups its digits, so their blanks are ignored; a card's values join without one."""
        typed: str = self.cleaned_data["response"].strip()
        if self.element is Element.INDEX_NUMBERS and len(typed.split()) > 1:
            raise forms.ValidationError(
                _("Enter the two values one after the other, without a space between them."),
                code="has_blank",
            )
        return typed
