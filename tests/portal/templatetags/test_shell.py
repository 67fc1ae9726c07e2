"""The shell's tags: the same everywhere in one language, and the mark of where one is."""

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from django.utils.translation import override

LOADED = "{% load shell %}"


def said(tag: str, **context: object) -> str:
    return Template(LOADED + tag).render(Context(context))


@pytest.mark.parametrize(("code", "name"), [("en", "English"), ("zh-hans", "简体中文")])
def test_the_shell_speaks_the_language_of_the_page(code, name):
    with override(code):
        assert said("{% language_code %}") == code
        assert said("{% language_name %}") == name
        buttons = said("{% language_buttons %}")
    assert buttons.count("<button") == 2
    assert f'lang="{code}" aria-current="true">{name}<' in buttons
    assert buttons.count("aria-current") == 1


@pytest.mark.parametrize(("path", "marked"), [("/help/", True), ("/help/kb2481/", False)])
def test_only_the_link_to_this_very_page_is_marked(path, marked):
    request = RequestFactory().get(path)
    text = said("{% current 'help:index' %}", request=request)
    assert text == (' aria-current="page"' if marked else "")
