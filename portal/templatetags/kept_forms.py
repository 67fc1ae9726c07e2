"""Forms rendered once."""

from functools import lru_cache
from typing import Any

from crispy_forms.templatetags.crispy_forms_filters import as_crispy_form
from django import forms, template
from django.utils.safestring import SafeString
from django.utils.translation import get_language

register = template.Library()


@register.filter
def crispy_once(form: forms.BaseForm) -> SafeString:
    """
    As `crispy`. A form without input that looks the same to everybody is rendered once for each language:
    that takes longer than all the rest of its page. `form.look` names what its look depends on.
    """
    look = getattr(form, "look", None)
    if form.is_bound or look is None:
        return as_crispy_form(form)
    return _blank(type(form), tuple(look.items()), get_language() or "")  # type: ignore[arg-type]


@lru_cache(maxsize=256)
def _blank(form: type[forms.BaseForm], look: tuple[tuple[str, Any], ...], language: str) -> Any:
    return as_crispy_form(form(**dict(look)))
