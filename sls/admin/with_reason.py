"""A page beside the list that asks for a reason and does one thing."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse

from portal.read_only import PersonalData


class WithReason(PersonalData):
    def page(
        self, request: HttpRequest, title: str, form: forms.Form, **context: Any
    ) -> HttpResponse:
        """The `title` is also the word on the button."""
        context |= {"form": form, "submit_label": title}
        return self.framed(request, "admin/sls/with_reason.html", title, context)
