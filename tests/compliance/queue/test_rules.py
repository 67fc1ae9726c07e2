"""How the queue is asked."""

import uuid
from datetime import UTC, date, datetime

import pytest

from compliance.queue.rules import Asked, Mark, Order, Stage, due_on

MARK = Mark(datetime(2026, 11, 23, 12, 0, 1, 234567, tzinfo=UTC), uuid.UUID(int=7))


def test_a_mark_is_read_as_it_was_written():
    assert Mark.read(str(MARK)) == MARK


@pytest.mark.parametrize(
    "text", ["", "1", "x-" + "0" * 32, "1-00", "1-" + "g" * 32, "9" * 18 + "-" + "0" * 32]
)
def test_what_is_no_mark_is_none(text):
    assert Mark.read(text) is None


def test_a_mark_beyond_the_calendar_is_none():
    latest = "253402300799999999-" + "0" * 32
    assert Mark.read(latest) is None  # more digits than a time of ours has
    assert Mark.read("9" * 17 + "-" + "0" * 32).at.year == 5138


def test_nonsense_counts_as_not_asked():
    asked = Asked.read(
        {
            "stage": "everything",
            "order": "random",
            "reason": "' OR 1=1",
            "kind": "sms",
            "day": "yesterday",
            "after": "the end",
        }
    )
    assert asked == Asked()


def test_everything_that_is_asked_stands_in_the_next_address():
    query = {
        "stage": "decided",
        "reason": "other_entity",
        "kind": "code_card",
        "q": "robin.trust",
        "day": "2026-11-23",
        "after": str(MARK),
    }
    asked = Asked.read(query)
    assert asked.query(after=asked.after) == "&".join(f"{k}={v}" for k, v in query.items())
    assert "after" not in asked.query()
    assert "q=" not in asked.query(name="")


def test_the_usual_order_holds_until_another_is_asked():
    assert Asked.read({}, usual="newest").order == Order.NEWEST
    assert Asked.read({"order": "claimed"}, usual="newest").order == Order.CLAIMED
    assert Asked.read({}, usual="of an older release").order == Order.OLDEST


def test_a_list_is_asked_from_one_side_only():
    asked = Asked.read({"after": str(MARK), "before": str(MARK), "stage": "mine"})
    assert (asked.after, asked.before, asked.stage) == (MARK, None, Stage.MINE)


def test_a_request_of_friday_is_due_on_tuesday_and_a_holiday_moves_it():
    friday = date(2026, 11, 20)
    assert due_on(friday, 2, frozenset()) == date(2026, 11, 24)
    assert due_on(friday, 2, frozenset({date(2026, 11, 23)})) == date(2026, 11, 25)
