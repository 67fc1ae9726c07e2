"""What the maker of a Temporary Code records."""

from django import forms
from django.utils.translation import gettext_lazy as _

from sls.models import IdentityCheck


class CodeRequestForm(forms.Form):
    username = forms.CharField(
        label=_("Client's username"),
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    identity_check = forms.ChoiceField(
        label=_("Identity check"), choices=IdentityCheck, widget=forms.RadioSelect
    )
    identity_note = forms.CharField(
        label=_("What was checked"),
        help_text=_("No document numbers and no answers: only what was compared."),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    reason = forms.CharField(
        label=_("Why a code is needed"), max_length=500, widget=forms.Textarea(attrs={"rows": 3})
    )
