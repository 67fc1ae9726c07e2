"""What the shell of every page says of its language and of where it is."""

from collections.abc import Callable
from functools import cache
from typing import Any

from django import template
from django.conf import settings
from django.template import Context
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, get_language_info

register = template.Library()

CURRENT = SafeString(' aria-current="page"')
CHOSEN = SafeString(' aria-current="true"')


def constant(tag: Callable[[], str]) -> Callable[[], str]:
    """A simple tag that says the same in every context of one language: folded (portal.folding)."""
    register.simple_tag(tag)
    tag.is_constant = True  # type: ignore[attr-defined]
    return tag


@constant
def language_code() -> str:
    return get_language() or settings.LANGUAGE_CODE


@constant
def language_name() -> str:
    return str(get_language_info(language_code())["name_local"])


@constant
def language_buttons() -> SafeString:
    return format_html_join("", "{}", ((_button(code),) for code, _name in settings.LANGUAGES))


def _button(code: str) -> SafeString:
    return format_html(
        '<button class="menu__link" type="submit" name="language" value="{}" lang="{}"{}>{}</button>',
        code,
        code,
        CHOSEN if code == language_code() else "",
        get_language_info(code)["name_local"],
    )


@register.simple_tag(takes_context=True)
def current(context: Context, name: str) -> SafeString:
    """Marks a link to the page of the URL `name` while one is there."""
    request: Any = context["request"]
    return CURRENT if request.path == _address(name) else SafeString("")


@cache
def _address(name: str) -> str:
    return reverse(name)
