"""What the desk records of a caller, and the response he says."""

from django import forms
from django.utils.translation import gettext_lazy as _


class AskForm(forms.Form):
    ticket = forms.CharField(
        label=_("Ticket number"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 3})
    )
    device = forms.ChoiceField(label=_("Device to ask"), widget=forms.RadioSelect)

    def __init__(self, *args: object, devices: list[tuple[str, str]], **more: object) -> None:
        """`devices` are the choices: id and label."""
        super().__init__(*args, **more)  # type: ignore[arg-type]
        choice = self.fields["device"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = devices
        if len(devices) == 1:
            choice.initial = devices[0][0]


class SaidForm(forms.Form):
    response = forms.CharField(
        label=_("What the caller says"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
