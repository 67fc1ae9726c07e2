"""The form of a new policy: one row for each reason."""

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from sls.review import SIGNALS, ReviewReason, Rule

from .rules import HIGHEST_THRESHOLD, LONGEST_NOTE


class RuleForm(forms.Form):
    """One reason; its prefix is the reason's code."""

    is_on = forms.BooleanField(label=_("On"), required=False)
    threshold = forms.IntegerField(
        label=_("Counts from"), min_value=1, max_value=HIGHEST_THRESHOLD, initial=1
    )
    holds = forms.BooleanField(label=_("Holds the request"), required=False)
    reviewers = forms.TypedChoiceField(
        label=_("Reviewers"), choices=[(1, "1"), (2, "2")], coerce=int, initial=2
    )

    @property
    def reason(self) -> ReviewReason:
        return ReviewReason(str(self.prefix))

    @property
    def is_signal(self) -> bool:
        return self.prefix in SIGNALS

    @property
    def rule(self) -> Rule | None:
        """None for a reason that is switched off."""
        what = self.cleaned_data
        if not what["is_on"]:
            return None
        return Rule(what["threshold"], what["holds"], what["reviewers"])


class PolicyForm(forms.Form):
    """When and why; `rows` are the rules. The whole is valid when all are."""

    starts_at = forms.DateTimeField(
        label=_("Starts at"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    note = forms.CharField(
        label=_("Why the rules change"),
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    follows = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, initial_rules: Mapping[str, Rule], follows: int):
        super().__init__(data, initial={"follows": follows})
        self.sent_data: QueryDict = data or QueryDict()
        self.rows = [self._row(code, data, initial_rules.get(code)) for code in ReviewReason.values]

    @staticmethod
    def _row(code: str, data: Any, rule: Rule | None) -> RuleForm:
        known = vars(rule) | {"is_on": True} if rule else {}
        return RuleForm(data, prefix=code, initial=known)

    def is_valid(self) -> bool:
        return all([super().is_valid(), *(row.is_valid() for row in self.rows)])

    @property
    def rules(self) -> dict[str, Rule]:
        return {str(row.prefix): row.rule for row in self.rows if row.rule}

    @property
    def sent(self) -> Iterator[tuple[str, str]]:
        """Everything that was sent, to be sent again by a confirmation."""
        for form in (self, *self.rows):
            for name in form.fields:
                field = form.add_prefix(name)
                for value in self.sent_data.getlist(field):
                    yield field, value


class WithdrawForm(forms.Form):
    note = forms.CharField(
        label=_("Why they are withdrawn"),
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
