"""Jobs of several steps: the others go on, and the failure is told."""

import pytest
from django.db import InterfaceError, OperationalError

from portal import steps


def breaks(error: Exception):
    def step():
        raise error

    return step


def test_the_steps_after_a_broken_one_are_taken_and_its_error_is_raised(caplog):
    taken = []
    first, second = ValueError("first"), KeyError("second")
    with pytest.raises(ValueError, match="first"):
        steps.take(
            [breaks(first), lambda: taken.append(1), breaks(second), lambda: taken.append(2)]
        )
    assert taken == [1, 2]
    assert len([r for r in caplog.records if r.levelname == "ERROR"]) == 2


@pytest.mark.parametrize("error", [OperationalError("away"), InterfaceError("closed")])
def test_without_a_database_no_further_step_waits_for_it(error):
    taken = []
    with pytest.raises(type(error)):
        steps.take([breaks(error), lambda: taken.append(1)])
    assert taken == []
