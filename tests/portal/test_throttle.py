"""Limits: abuse-cases.md A 5 and 10, B 29."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal import throttle
from portal.models import Allowance
from portal.throttle import Limit, Waits
from tests.conftest import NOW, use_up

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
THREE = Limit("three", 3, HOUR)
ONE = Limit("one", 1, HOUR)
INSTANT = timedelta(microseconds=1)


def spend(limit=THREE, key="somebody", now=NOW):
    return throttle.spend([(limit, key)], now=now)


def spent(limit=THREE, key="somebody"):
    return Allowance.objects.get(limit=limit.name, key=key).spent


@pytest.mark.parametrize("size", [1, 2, 10])
def test_a_limit_lets_exactly_its_size_through(size):
    limit = Limit("some", size, HOUR)
    assert [bool(spend(limit)) for _ in range(size + 3)] == [False] * size + [True] * 3


def test_a_limit_that_is_used_up_is_named():
    spend(ONE)
    assert spend(ONE) == {"one"}


def test_keys_and_limits_do_not_share_a_count():
    for _ in range(4):
        spend()
    assert not spend(key="somebody else")
    assert not spend(ONE)


def test_the_window_starts_anew_with_every_try_that_is_judged():
    spend()
    spend(now=NOW + HOUR - INSTANT)
    spend(now=NOW + 2 * HOUR - 2 * INSTANT)
    assert spend(now=NOW + 3 * HOUR - 3 * INSTANT)


def test_a_pause_as_long_as_the_window_forgets_the_tries():
    for _ in range(3):
        spend()
    assert spend(now=NOW + HOUR - INSTANT)
    assert not spend(now=NOW + HOUR)
    assert spent() == 1


def test_tries_while_it_is_used_up_do_not_prolong_it():
    for _ in range(3):
        spend()
    for minutes in range(0, 60, 5):
        assert spend(now=NOW + timedelta(minutes=minutes))
    assert not spend(now=NOW + HOUR)


def test_a_try_a_day_does_not_keep_a_client_out():
    ten = throttle.PASSWORD_OF_NAME
    use_up(ten, "somebody", NOW)
    assert spend(ten, now=NOW + throttle.DAY - INSTANT)
    assert not spend(ten, now=NOW + throttle.DAY)


# --- Waits --------------------------------------------------------------------------------------------

SLOW = Limit("slow", 10, HOUR, waits=Waits("slow_without_wait", 2, timedelta(seconds=15)))


def wait(now=NOW, limit=SLOW):
    return throttle.longest_wait([(limit, "somebody")], now=now)


def test_a_limit_with_waits_lets_the_free_tries_through_and_then_one_after_each_wait():
    for _ in range(3):
        assert not spend(SLOW)
    now = NOW
    for seconds in (5, 10, 15, 15, 15, 15, 15):
        assert wait(now) == timedelta(seconds=seconds)
        now += timedelta(seconds=seconds)
        assert spend(SLOW, now=now - INSTANT)
        assert not spend(SLOW, now=now)
    assert spent(SLOW) == 10
    assert wait(now) == timedelta(0)  # no wait stands before the lock


def test_a_try_that_comes_too_early_prolongs_nothing():
    for _ in range(3):
        spend(SLOW)
    before = Allowance.objects.get()
    for milliseconds in range(0, 5000, 100):
        assert spend(SLOW, now=NOW + timedelta(milliseconds=milliseconds))
    after = Allowance.objects.get()
    assert (after.spent, after.opens_at, after.resets_at) == (
        before.spent,
        before.opens_at,
        before.resets_at,
    )
    assert not spend(SLOW, now=NOW + timedelta(seconds=5))


def test_a_wait_that_is_used_up_is_told_by_used_up_too():
    for _ in range(3):
        spend(SLOW)
    assert throttle.used_up([(SLOW, "somebody")], now=NOW) == {"slow"}
    assert not throttle.used_up([(SLOW, "somebody")], now=NOW + timedelta(seconds=5))


def test_a_window_that_passes_forgets_the_wait():
    for _ in range(3):
        spend(SLOW)
    assert not spend(SLOW, now=NOW + HOUR)
    assert not spend(SLOW, now=NOW + HOUR)
    assert not wait(NOW + HOUR)


def test_giving_a_try_back_ends_its_wait():
    for _ in range(3):
        spend(SLOW)
    throttle.give_back([(SLOW, "somebody")])
    assert spent(SLOW) == 2
    assert not spend(SLOW)


def test_limits_that_wait_and_limits_that_do_not_are_spent_together():
    for _ in range(3):
        throttle.spend([(SLOW, "somebody"), (THREE, "somebody")], now=NOW)
    refused = throttle.spend([(SLOW, "somebody"), (THREE, "somebody")], now=NOW)
    assert refused == {"slow", "three"}
    assert Allowance.objects.get(limit="three").opens_at is None


@pytest.mark.parametrize(
    ("sizes", "first"),
    [
        ({}, 4),
        ({"password_of_name": "1000"}, 301),
        ({"password_of_name": "1"}, 2),
        ({"password_of_name_without_wait": "7"}, 8),
        ({"password_of_name": "5", "password_of_name_without_wait": "1"}, 2),
    ],
)
def test_other_sizes_move_the_waits(settings, sizes, first):
    settings.LIMITS = sizes
    throttle.check_sizes(sizes)
    assert throttle.PASSWORD_OF_NAME.steps()[0] == (first, throttle.FIRST_WAIT)


def test_the_count_never_grows_beyond_one_more_than_the_size():
    for _ in range(50):
        spend()
    assert spent() == THREE.size + 1


def test_a_limit_that_was_enlarged_lets_more_through_at_once():
    for _ in range(3):
        spend()
    larger = Limit("three", 5, HOUR)
    assert not spend(larger)
    assert not spend(larger)
    assert spend(larger)


def test_several_pairs_are_spent_in_one_statement():
    pairs = [(THREE, "a"), (THREE, "b"), (ONE, "a")]
    with CaptureQueriesContext(connection) as caught:
        assert not throttle.spend(pairs, now=NOW)
    assert len(caught) == 1
    assert throttle.spend(pairs, now=NOW) == {"one"}
    assert spent(key="a") == spent(key="b") == 2


def test_the_same_pair_twice_in_one_call_is_one_try():
    assert not throttle.spend([(THREE, "a"), (THREE, "a")], now=NOW)
    assert spent(key="a") == 1


def test_a_long_key_is_one_key_whatever_comes_after_its_eightieth_character():
    for end in ("x", "y", "z"):
        spend(key="k" * 80 + end)
    assert spend(key="k" * 80)
    assert throttle.used_up([(THREE, "k" * 90)], now=NOW)


@pytest.mark.parametrize("key", ["", "'; DROP TABLE portal_allowance; --", "%s", "名"])
def test_any_text_is_a_key(key):
    spend(ONE, key=key)
    assert spend(ONE, key=key)


def test_used_up_says_the_same_as_the_next_try_would_and_spends_nothing():
    for expected in ([], [], [], ["three"]):
        assert sorted(throttle.used_up([(THREE, "somebody"), (ONE, "other")], now=NOW)) == expected
        spend()
    assert not throttle.used_up([(THREE, "somebody")], now=NOW + HOUR)
    assert throttle.used_up([(THREE, "somebody")], now=NOW + HOUR - INSTANT)


def test_give_back_returns_one_try_and_keeps_the_failures():
    for _ in range(3):
        spend()
    throttle.give_back([(THREE, "somebody")])
    assert spent() == 2
    assert not spend()
    assert spend()


def test_give_back_never_falls_below_nothing():
    spend()
    for _ in range(3):
        throttle.give_back([(THREE, "somebody")])
    assert spent() == 0


def test_clear_forgets_the_pairs_named_and_no_other():
    for _ in range(3):
        spend()
        spend(key="other")
    throttle.clear([(THREE, "somebody"), (ONE, "other")])
    assert not spend()
    assert spend(key="other")


def test_every_limit_of_the_product_has_a_name_of_its_own():
    limits = [value for value in vars(throttle).values() if isinstance(value, Limit)]
    assert len({limit.name for limit in limits}) == len(limits) >= 6
    assert all(limit.size > 0 and limit.window > timedelta(0) for limit in limits)


def test_no_pairs_mean_no_row_and_never_every_row():
    spend(ONE)
    throttle.clear([])
    throttle.give_back([])
    assert spent(ONE) == 1
    assert not throttle.used_up([], now=NOW)
