"""The shapes of the dashboard."""

from datetime import date

import pytest

from compliance.dashboard import rules

TODAY = date(2026, 11, 25)


def test_every_one_of_the_last_days_is_there_also_without_a_decision():
    found = rules.days({(TODAY, "approve"): 3, (TODAY, "reject"): 1}, TODAY)
    assert len(found) == 30
    assert found[0] == rules.Day(date(2026, 10, 27), 0, 0)
    assert found[-1] == rules.Day(TODAY, 3, 1)


@pytest.mark.parametrize(
    ("most", "top"),
    [(0, 1), (1, 1), (3, 5), (7, 10), (10, 10), (11, 20), (999, 1000), (1001, 2000)],
)
def test_the_scale_ends_at_a_round_number(most, top):
    assert rules.ceiling(most) == top


def test_bars_stand_on_the_ground_within_the_drawing_and_rejections_on_approvals():
    chart = rules.chart(rules.days({(TODAY, "approve"): 3, (TODAY, "reject"): 2}, TODAY))
    ground = rules.HEIGHT - rules.BOTTOM
    for bar in chart.bars:
        assert bar.approved_y + bar.approved_height == ground
        assert bar.rejected_y + bar.rejected_height == bar.approved_y
        assert bar.rejected_y >= rules.TOP
        assert bar.x + bar.width <= rules.WIDTH
    last = chart.bars[-1]
    assert last.approved_height * 2 == pytest.approx(last.rejected_height * 3, abs=3)


def test_no_decision_at_all_makes_a_chart():
    chart = rules.chart(rules.days({}, TODAY))
    assert {bar.approved_height + bar.rejected_height for bar in chart.bars} == {0}
    assert [number for _y, number in chart.lines] == [0, 1]


@pytest.mark.parametrize(
    ("count", "percentile", "place"), [(0, 50, 0), (1, 90, 0), (2, 50, 0), (10, 90, 8), (11, 50, 5)]
)
def test_percentiles_are_of_the_nearest_rank(count, percentile, place):
    assert rules.rank(count, percentile) == place


def test_a_share_of_nothing_is_no_number():
    assert rules.percent(0, 0) is None
    assert rules.percent(1, 3) == 33
