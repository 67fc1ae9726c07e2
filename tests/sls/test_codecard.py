"""The Security Code Card: its values, the drawing of questions, and how long it lasts."""

from collections import Counter
from itertools import combinations
from string import ascii_uppercase, digits
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sls.codecard import (
    ALPHABET,
    CELL_COUNT,
    CardMode,
    Pair,
    draw,
    expected,
    has_blank,
    logins_left,
    new_cells,
    normalise,
    parse_question,
    question,
)

ALL_PAIRS = set(combinations(range(1, CELL_COUNT + 1), 2))
CELLS = tuple(f"{index:03}" for index in range(1, CELL_COUNT + 1))  # the value tells its index

index_numbers = st.integers(1, CELL_COUNT)
pairs = st.tuples(index_numbers, index_numbers).filter(lambda pair: pair[0] != pair[1])
histories = st.lists(pairs, max_size=150)


# --- Cells ----------------------------------------------------------------------------------------


def test_a_new_card_has_224_values_of_three_readable_characters() -> None:
    cells = new_cells()
    assert len(cells) == 224
    assert all(len(value) == 3 and set(value) <= set(ALPHABET) for value in cells)


def test_the_alphabet_leaves_out_what_is_misread() -> None:
    assert len(ALPHABET) == len(set(ALPHABET)) == 32
    assert set(ALPHABET) == set(ascii_uppercase + digits) - set("IO01")


def test_two_new_cards_differ_and_use_the_whole_alphabet() -> None:
    first, second = new_cells(), new_cells()
    assert first != second
    assert set("".join(first + second)) == set(ALPHABET)


# --- Drawing --------------------------------------------------------------------------------------


@given(histories, st.sampled_from(CardMode))
def test_draw_gives_two_different_indexes_in_ascending_order(
    used: list[Pair], mode: CardMode
) -> None:
    pair = draw(used, mode=mode)
    if pair is not None:
        assert 1 <= pair[0] < pair[1] <= CELL_COUNT


@given(histories)
def test_draw_never_asks_a_pair_twice(used: list[Pair]) -> None:
    pair = draw(used, mode=CardMode.NO_PAIR_TWICE)
    assert pair is not None
    assert pair not in used
    assert pair[::-1] not in used


@given(histories)
def test_draw_never_asks_a_cell_twice_when_cells_are_used_once(used: list[Pair]) -> None:
    pair = draw(used, mode=CardMode.EACH_CELL_ONCE)
    assert pair is None or not {*pair} & {index for old in used for index in old}


@given(histories, st.sampled_from(CardMode))
def test_draw_gives_up_exactly_when_no_login_is_left(used: list[Pair], mode: CardMode) -> None:
    assert (draw(used, mode=mode) is None) == (logins_left(used, mode) == 0)


def test_draw_reaches_every_cell_and_favours_none() -> None:
    seen = Counter(i for _ in range(4480) for i in draw((), mode=CardMode.REPEAT) or ())
    assert len(seen) == CELL_COUNT
    assert max(seen.values()) < 100  # 40 expected, deviation 6.3: ten of them off


def test_draw_finds_the_last_pair_and_then_gives_up() -> None:
    for last in ((1, 2), (17, 142), (223, 224)):
        assert draw(ALL_PAIRS - {last}, mode=CardMode.NO_PAIR_TWICE) == last
    assert draw(ALL_PAIRS, mode=CardMode.NO_PAIR_TWICE) is None


def test_draw_takes_no_longer_when_nearly_all_pairs_are_used() -> None:
    used = ALL_PAIRS - {(100, 200)}
    start = perf_counter()
    for _ in range(20):
        assert draw(used, mode=CardMode.NO_PAIR_TWICE) == (100, 200)
    assert perf_counter() - start < 5  # guessing would take some 500,000 tries


def test_draw_never_wears_out_a_card_whose_pairs_may_be_repeated() -> None:
    assert draw(ALL_PAIRS, mode=CardMode.REPEAT) is not None


def test_a_card_whose_cells_are_used_once_lasts_112_logins() -> None:
    used: list[Pair] = []
    while pair := draw(used, mode=CardMode.EACH_CELL_ONCE):
        used.append(pair)
    assert len(used) == 112
    assert sorted(index for pair in used for index in pair) == [*range(1, CELL_COUNT + 1)]


@pytest.mark.parametrize(
    ("used", "mode", "left"),
    [
        ([], CardMode.REPEAT, None),
        (ALL_PAIRS, CardMode.REPEAT, None),
        ([], CardMode.NO_PAIR_TWICE, 24_976),
        ([(1, 2), (2, 1), (1, 2)], CardMode.NO_PAIR_TWICE, 24_975),
        (ALL_PAIRS, CardMode.NO_PAIR_TWICE, 0),
        ([], CardMode.EACH_CELL_ONCE, 112),
        ([(1, 2), (3, 4)], CardMode.EACH_CELL_ONCE, 110),
        ([(1, 2), (2, 3)], CardMode.EACH_CELL_ONCE, 110),
        (ALL_PAIRS, CardMode.EACH_CELL_ONCE, 0),
    ],
)
def test_logins_left_counts_what_the_mode_still_allows(
    used: list[Pair], mode: CardMode, left: int | None
) -> None:
    assert logins_left(used, mode) == left


def test_the_modes_are_named_as_the_setting_spells_them() -> None:
    assert [*CardMode] == ["repeat", "no_pair_twice", "each_cell_once"]


# --- Questions and answers ------------------------------------------------------------------------


@given(pairs)
def test_a_question_reads_back_as_its_pair(pair: Pair) -> None:
    assert parse_question(question(pair)) == pair


def test_a_question_is_two_numbers_and_a_blank() -> None:
    assert question((17, 142)) == "17 142"


@pytest.mark.parametrize("pair", [(0, 1), (1, 225), (-1, 5), (7, 7)])
def test_question_refuses_what_is_not_on_the_card(pair: Pair) -> None:
    with pytest.raises(ValueError, match="indexes"):
        question(pair)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "17", "17142", "17 142 3", "17  142", " 17 142", "17 142 ", "17 142\n"),
        *("17,142", "17\t142", "017 142", "17 +142", "0 17", "17 225", "17 17", "a b", "1\u0667 4"),
    ],
)
def test_parse_question_refuses_a_malformed_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"question|indexes"):
        parse_question(text)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [("17 142", "017142"), ("142 17", "142017"), ("1 224", "001224"), ("224 1", "224001")],
)
def test_expected_joins_the_values_in_the_order_asked(asked: str, answer: str) -> None:
    assert expected(CELLS, asked) == answer


@pytest.mark.parametrize("count", [0, 223, 225])
def test_expected_refuses_a_card_of_another_size(count: int) -> None:
    with pytest.raises(ValueError, match="224"):
        expected(["AAA"] * count, "1 2")


@pytest.mark.parametrize(
    ("typed", "normal"),
    [("a3dz3v", "A3DZ3V"), ("A3DZ3V", "A3DZ3V"), ("a3d z3v", "A3D Z3V"), (" a", " A"), ("", "")],
)
def test_normalise_changes_nothing_but_small_letters(typed: str, normal: str) -> None:
    assert normalise(typed) == normal


@pytest.mark.parametrize(
    "typed", ["A3D Z3V", " A3DZ3V", "A3DZ3V\t", "A3D\u00a0Z3V", "A3D\u3000Z3V"]
)
def test_has_blank_sees_every_kind_of_white_space(typed: str) -> None:
    assert has_blank(typed)


@pytest.mark.parametrize("typed", ["", "A3DZ3V", "a3d-z3v"])
def test_has_blank_sees_none_where_there_is_none(typed: str) -> None:
    assert not has_blank(typed)
