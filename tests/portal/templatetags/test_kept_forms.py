"""A form without input is rendered once; one with input never comes from what was kept."""

import pytest
from django.utils import translation

from portal.templatetags.kept_forms import _blank, crispy_once
from sls.catalog import Element
from sls.devices.forms import ResponseForm
from sls.login.forms import PasswordForm
from sls.password.forms import PasswordChangeForm
from tests.conftest import person


@pytest.fixture(autouse=True)
def _nothing_kept():
    _blank.cache_clear()


def test_a_blank_form_is_rendered_once_for_each_language():
    shown = []
    for language in ("en", "zh-hans", "en"):
        with translation.override(language):
            shown.append(crispy_once(PasswordForm()))
    assert _blank.cache_info().misses == 2
    assert shown[0] == shown[2] != shown[1]
    assert "Username" in shown[0]
    assert "用户名" in shown[1]


def test_what_somebody_typed_is_not_kept_and_not_shown_to_others():
    typed = crispy_once(PasswordForm({"username": "robin.calder", "password": "x"}))
    assert "robin.calder" in typed
    assert "robin.calder" not in crispy_once(PasswordForm())
    assert _blank.cache_info().misses == 1


def test_forms_that_look_different_are_kept_apart():
    digits = crispy_once(ResponseForm(element=Element.CHALLENGE_CODE))
    card = crispy_once(ResponseForm(element=Element.INDEX_NUMBERS))
    assert 'inputmode="numeric"' in digits
    assert 'inputmode="numeric"' not in card


@pytest.mark.django_db
@pytest.mark.usefixtures("on_stage")
def test_a_form_that_says_nothing_about_its_look_is_rendered_every_time():
    crispy_once(PasswordChangeForm(user=person("owner")))
    assert _blank.cache_info().currsize == 0
