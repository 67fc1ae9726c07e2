"""The two values that confirm a card."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from sls.catalog import Element
from sls.devices.forms import ResponseForm


class CardValuesForm(ResponseForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, element=Element.INDEX_NUMBERS, **kwargs)
        self.fields["response"].label = _("Card Values")
        self.fields["response"].widget.attrs["autocomplete"] = "off"
