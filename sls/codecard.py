"""
The Security Code Card: 224 numbered cells of three characters, two of them asked at a time.

Pure: which pairs were asked and what the card says are passed in; nothing is stored here. A *pair*
is two different indexes from 1 to 224; a *question* is its text, such as "17 142".
"""

import re
import secrets
from collections.abc import Collection, Sequence
from enum import StrEnum
from itertools import combinations

CELL_COUNT = 224
CELL_LENGTH = 3
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without I, O, 0 and 1, which are misread on paper

_INDEXES = range(1, CELL_COUNT + 1)
_PAIR_COUNT = CELL_COUNT * (CELL_COUNT - 1) // 2
_QUESTION = re.compile(r"([1-9][0-9]{0,2}) ([1-9][0-9]{0,2})")
_random = secrets.SystemRandom()

Pair = tuple[int, int]


class CardMode(StrEnum):
    """How long a card lasts: what may be asked again."""

    REPEAT = "repeat"  #                 anything, for ever
    NO_PAIR_TWICE = "no_pair_twice"  #   24,976 answers
    EACH_CELL_ONCE = "each_cell_once"  # 112 answers; who overhears answers can never reuse a cell


def new_cells() -> tuple[str, ...]:
    """The 224 values of a new card: index 1 first, 15 bits of secure randomness each."""
    return tuple(
        "".join(secrets.choice(ALPHABET) for _ in range(CELL_LENGTH)) for _ in range(CELL_COUNT)
    )


def draw(used: Collection[Pair], *, mode: CardMode) -> Pair | None:
    """
    Two indexes in ascending order, every pair the mode still allows equally likely; `None` when the
    card is used up. `used` are the pairs asked so far, in any order.

    The pairs left are listed rather than guessed at, so that a nearly used card takes no longer
    than a new one: one pass over 24,976 pairs at most, a few milliseconds.
    """
    if mode is CardMode.NO_PAIR_TWICE:
        asked = _ascending(used)
        left = [pair for pair in combinations(_INDEXES, 2) if pair not in asked]
        return secrets.choice(left) if left else None
    free = _INDEXES if mode is CardMode.REPEAT else _free_cells(used)
    if len(free) < 2:
        return None
    first, second = sorted(_random.sample(free, 2))
    return first, second


def logins_left(used: Collection[Pair], mode: CardMode) -> int | None:
    """How many answers the card still has, `None` for no limit; 0 exactly when `draw` gives up."""
    if mode is CardMode.REPEAT:
        return None
    if mode is CardMode.NO_PAIR_TWICE:
        return _PAIR_COUNT - len(_ascending(used))
    return len(_free_cells(used)) // 2


def question(pair: Pair) -> str:
    """The pair as it is shown and stored: "17 142". `ValueError` when it is not a pair."""
    first, second = pair
    if first == second or first not in _INDEXES or second not in _INDEXES:
        raise ValueError(f"Not two different indexes from 1 to {CELL_COUNT}: {pair}.")
    return f"{first} {second}"


def parse_question(text: str) -> Pair:
    """The pair in the order asked. `ValueError` for anything `question` would not write."""
    if not (match := _QUESTION.fullmatch(text)):
        raise ValueError(f"Not a question for a card: {text!r}.")
    pair = int(match[1]), int(match[2])
    question(pair)
    return pair


def expected(cells: Sequence[str], question: str) -> str:
    """The right answer: both values in the order asked, without a blank. Errors as above."""
    if len(cells) != CELL_COUNT:
        raise ValueError(f"A card has {CELL_COUNT} cells, not {len(cells)}.")
    first, second = parse_question(question)
    return cells[first - 1] + cells[second - 1]


def normalise(typed: str) -> str:
    """In capitals, otherwise as typed: a blank is a mistake to explain, not one to hide."""
    return typed.upper()


def has_blank(typed: str) -> bool:
    """Is there any white space in it? Card values are joined without."""
    return any(character.isspace() for character in typed)


def _ascending(used: Collection[Pair]) -> set[Pair]:
    return {(min(pair), max(pair)) for pair in used}


def _free_cells(used: Collection[Pair]) -> list[int]:
    asked = {index for pair in used for index in pair}
    return [index for index in _INDEXES if index not in asked]
