"""What an officer sends with a recommendation, a decision, or a hand-over."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from compliance.models import Verdict

from .operations import Judgement
from .rules import LONGEST_NOTE, CaseRefusal, approval_reasons, rejection_reasons

REASONS = {Verdict.APPROVE: approval_reasons, Verdict.REJECT: rejection_reasons}


def _grouped() -> list[tuple[Any, Any]]:
    groups = [(verdict.label, reasons()) for verdict, reasons in REASONS.items()]
    return [("", "---------"), *groups]


class VerdictForm(forms.Form):
    """`seen` is the digest of the evidence on the page; `reason` must fit the verdict."""

    verdict = forms.ChoiceField(label=_("Verdict"), choices=Verdict, widget=forms.RadioSelect)
    reason = forms.ChoiceField(label=_("Reason"), choices=_grouped)
    note = forms.CharField(
        label=_("Note"),
        help_text=_("What you looked at, in a few words. It stays inside the house."),
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    seen = forms.RegexField(r"^[0-9a-f]{64}$", widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        what = super().clean() or {}
        verdict, reason = what.get("verdict"), what.get("reason")
        if verdict and reason and reason not in dict(REASONS[Verdict(verdict)]()):
            self.add_error("reason", str(CaseRefusal.UNKNOWN_REASON.sentence))
        return what

    @property
    def said(self) -> Judgement:
        """Of a valid form."""
        what = self.cleaned_data
        return Judgement(**what | {"verdict": Verdict(what["verdict"])})


class HandOverForm(forms.Form):
    to = forms.CharField(
        label=_("Colleague's username"),
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
