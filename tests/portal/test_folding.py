"""Folded templates say what the plain ones say, in each language."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings
from django.template import Context, Engine, TemplateDoesNotExist
from django.template.base import TextNode
from django.utils import translation

from portal import folding as folding_module

BUILTINS = ["django.templatetags.i18n", "django.templatetags.static"]


def engines(**templates: str) -> tuple[Engine, Engine]:
    """An engine that folds, and one that does not."""
    inner = [("django.template.loaders.locmem.Loader", templates)]
    return (
        Engine(loaders=[("portal.folding.Loader", inner)], builtins=BUILTINS),
        Engine(loaders=inner, builtins=BUILTINS),
    )


SAMPLES = {
    "words": "{% translate 'Home' %} and {% blocktranslate trimmed %}  Help {% endblocktranslate %}",
    "variable": "{% translate word %}{% blocktranslate %}Hi {{ name }}{% endblocktranslate %}",
    "counted": "{% blocktranslate count n=n %}one{% plural %}{{ n }}{% endblocktranslate %}",
    "with": "{% blocktranslate with x=name %}{{ x }}{% endblocktranslate %}",
    "as": "{% translate 'Home' as home %}{% if home %}{{ home }}{% endif %}",
    "static": "{% static 'css/portal.css' %}{% static file %}",
    "url": "{% url 'login' %}{% url 'help:article' 'kb2481' %}{% url 'help:article' slug %}",
    "url as": "{% url 'login' as where %}{{ where }}{% url 'no such' as none %}{{ none }}",
    "of another mode": "{% if nothing %}{% url 'no such' %}{% endif %}{% translate 'Home' %}",
    "nested": "{% if n == 1 %}{% translate 'Home' %}{% elif n %}{% for c in name %}{% translate 'Help' %}"
    "{% empty %}{% translate 'Back' %}{% endfor %}{% else %}{% url 'login' %}{% endif %}",
    "comment": "a{% comment %}{{ b }}{% endcomment %}c{# d #}",
    "literal": "{{ 'x<y' }}{{ name }}{{ 'a'|upper }}{{ _('Home') }}",
    "escape": "{{ '<b>' }}{% autoescape off %}{{ '<b>' }}{{ name }}{% endautoescape %}",
    "percent": "{% translate '100%% sure' %}{% blocktranslate %}5%{% endblocktranslate %}",
    "verbatim": "{% verbatim %}{{ x }}{% endverbatim %}",
    "language": "{% language 'en' %}{% translate 'Home' %}{{ n }}{% endlanguage %}{% translate 'Home' %}",
}
VALUES = {"word": "Home", "name": "<Ada>", "n": 2, "file": "img/icons.svg", "slug": "kb1132"}


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("sample", SAMPLES)
def test_a_folded_template_gives_what_the_plain_one_gives(sample, language):
    folding, plain = engines(page=SAMPLES[sample])
    with translation.override(language):
        expected = plain.get_template("page").render(Context(VALUES))
        assert folding.get_template("page").render(Context(VALUES)) == expected
        assert folding.get_template("page").render(Context(VALUES)) == expected


def test_each_language_has_its_own_text():
    folding, _plain = engines(page="{% translate 'Home' %}")
    with translation.override("en"):
        english = folding.get_template("page").render(Context())
    with translation.override("zh-hans"):
        chinese = folding.get_template("page").render(Context())
    assert (english, chinese) == ("Home", "首页")


def test_what_never_changes_is_one_piece_of_text():
    folding, _plain = engines(
        page="{# a link #}<a href=\"{% url 'login' %}\">{% translate 'Home' %}</a>"
    )
    (node,) = folding.get_template("page").nodelist
    assert isinstance(node, TextNode)


def test_blocks_of_a_parent_are_folded_and_still_replaced():
    folding, plain = engines(
        parent="{% block a %}{% translate 'Home' %}{% endblock %}|{% block b %}b{% endblock %}",
        page="{% extends 'parent' %}{% block b %}{{ block.super }}{% translate 'Help' %}{% endblock %}",
    )
    with translation.override("en"):
        expected = plain.get_template("page").render(Context())
        assert folding.get_template("page").render(Context()) == expected == "Home|bHelp"


def test_a_missing_template_is_still_missing():
    folding, _plain = engines(page="")
    for _again in range(2):
        with pytest.raises(TemplateDoesNotExist):
            folding.get_template("other")


def test_the_project_folds_its_templates():
    assert settings.TEMPLATES[0]["OPTIONS"]["loaders"][0][0] == "portal.folding.Loader"
    assert Path(settings.TEMPLATES[0]["DIRS"][0]).is_dir()


def test_threads_that_meet_at_a_new_template_wait_for_the_one_that_folds_it(monkeypatch):
    calls = []
    fold = folding_module.fold

    def slow(nodes, context):
        calls.append(nodes)
        time.sleep(0.1)
        fold(nodes, context)

    monkeypatch.setattr(folding_module, "fold", slow)
    folding, _plain = engines(page="{% translate 'Home' %}")
    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(lambda _n: folding.get_template("page").render(Context()), range(4)))
    assert pages == ["Home"] * 4
    assert len(calls) == 1
