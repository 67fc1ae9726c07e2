"""Who may activate a phone: the whole table."""

import itertools

import pytest

from sls.activation.rules import ActivationRefusal, Standing, Verdict, refuses_number, verdict

MUST, NOT_ALLOWED = ActivationRefusal.DEVICE_MUST_AGREE, ActivationRefusal.NUMBER_NOT_ALLOWED

# protected, has a device, it agreed, first number, PIN right, accepts to wait → verdict
TABLE = [
    ((0, 0, 0, 0, 0, 0), Verdict.NOW),  # the first phone of a username without any device
    ((0, 0, 0, 1, 0, 0), Verdict.NOW),
    ((1, 1, 0, 0, 0, 0), MUST),
    ((1, 1, 0, 0, 1, 1), MUST),  # the PIN replaces no device on another number
    ((1, 1, 0, 1, 0, 0), MUST),
    ((1, 1, 0, 1, 1, 0), Verdict.NOW),
    ((1, 1, 0, 1, 0, 1), Verdict.WAIT),
    ((1, 1, 1, 0, 0, 0), Verdict.NOW),  # with the device's word any number
    ((1, 1, 1, 1, 0, 0), Verdict.NOW),
    ((1, 0, 0, 0, 1, 1), NOT_ALLOWED),
    ((1, 0, 0, 1, 0, 0), MUST),
    ((1, 0, 0, 1, 1, 0), Verdict.NOW),
    ((1, 0, 0, 1, 0, 1), Verdict.WAIT),
]


@pytest.mark.parametrize(("known", "expected"), TABLE)
def test_the_table_of_verdicts(known, expected):
    *standing, is_pin_right, accepts_wait = map(bool, known)
    found = verdict(Standing(*standing), is_pin_right=is_pin_right, accepts_wait=accepts_wait)
    assert found is expected


def test_password_and_code_alone_never_activate_a_protected_username_at_once():
    for has_device, is_first in itertools.product([True, False], repeat=2):
        for accepts_wait in (True, False):
            standing = Standing(True, has_device, False, is_first)
            found = verdict(standing, is_pin_right=False, accepts_wait=accepts_wait)
            assert found is not Verdict.NOW


def test_a_number_that_was_not_used_before_gets_a_code_only_with_the_devices_word():
    for has_device, has_agreed in itertools.product([True, False], repeat=2):
        refusal = refuses_number(Standing(True, has_device, has_agreed, False))
        assert (refusal is None) == has_agreed
