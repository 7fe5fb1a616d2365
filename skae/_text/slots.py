"""Slots in training pairs, which stand for names and numbers that both texts have."""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from skae._text.tokenizers import NAME_SLOTS, NUMBER_SLOTS
from skae._text.words import WORD, number_of, whole

#: Fraction of the pairs, and of those with words that slots can stand for, that get slots.
FRACTION, FRACTION_OF_ABLE = 0.05, 0.5

#: Words for each slot, at least: fewer do not teach the net what it is.
WORDS_PER_SLOT = 50


@dataclass
class SlottedPairs:
    """Pairs with slots.

    Parameters
    ----------
    sources, targets : list of str
    parts : list of dict of str to str
        The slots of each pair, by what they stand for in the source.
    n_slots : tuple (of names, of numbers)
    """

    sources: list
    targets: list
    parts: list
    n_slots: tuple


def put_slots(sources, targets, is_rare, written):
    """Put slots into some of the pairs that have names or numbers in common.

    Parameters
    ----------
    sources, targets : list of str
    is_rare : callable
        Whether pairs with a word get slots first.
    written : callable
        How translations write a number.

    Returns
    -------
    SlottedPairs
    """
    able, rare = {}, []
    for i, (source, target) in enumerate(zip(sources, targets, strict=True)):
        words = WORD.findall(source)
        if parts := _common_parts(words, target, written):
            able[i] = parts
            if any(number_of(word) in parts and is_rare(word) for word in words):
                rare.append(i)
    chosen = _choose(list(able), rare, len(sources))
    names, numbers = _slots([able[i] for i in chosen])
    slotted = SlottedPairs(
        list(sources), list(targets), [{} for _ in sources], (len(names), len(numbers))
    )
    rng = np.random.default_rng(0)
    for i in chosen:
        of_names, of_numbers = ([p for p in able[i] if p[0].isdigit() == n] for n in (False, True))
        slots = assign_slots(of_names, of_numbers, rng.permutation(names), rng.permutation(numbers))
        slotted.parts[i] = slots
        slotted.sources[i] = _with_slots(sources[i], slots)
        for part, slot in slots.items():
            slotted.targets[i] = re.sub(whole(able[i][part]), slot, slotted.targets[i])
    return slotted


def assign_slots(names, numbers, of_names, of_numbers):
    """Return a dict of slots for names and numbers.

    Numbers get what is left of those for names, if there are not enough.

    Parameters
    ----------
    names, numbers : list of str
    of_names, of_numbers : sequence of str
        The slots that there are.

    Examples
    --------
    >>> assign_slots(["Tom"], ["3", "7"], ["A", "B"], ["0"])
    {'Tom': 'A', '3': '0', '7': 'B'}
    """
    slots = dict(zip(names, of_names, strict=False))
    return slots | dict(zip(numbers, [*of_numbers, *of_names[len(names) :]], strict=False))


def _common_parts(words, target, written):
    """Return names and numbers that occur once in both texts, with what they are in the target."""
    counts, of_target = (
        Counter(map(number_of, words)),
        Counter(map(number_of, WORD.findall(target))),
    )
    common = {}
    for part, count in counts.items():
        is_number = part[0].isdigit()
        if count > 1 or not is_number and part == part.lower():
            continue
        result = written(part) if is_number and part not in of_target else part
        is_there = of_target[part] == 1 or result != part
        if is_there and len(re.findall(whole(result), target)) == 1:
            common[part] = result
    return common


def _choose(able, rare, n_pairs):
    """Return the pairs that get slots: all with rare words, and others by chance."""
    others = sorted(set(able).difference(rare))
    n_wanted = min(FRACTION * n_pairs, FRACTION_OF_ABLE * len(able)) - len(rare)
    drawn = np.random.default_rng(0).permutation(len(others))[: max(0, int(n_wanted))]
    return sorted([*rare, *(others[i] for i in drawn)])


def _slots(chosen):
    """Return the slots for names and those for numbers that some pairs can teach."""
    are_numbers = [part[0].isdigit() for parts in chosen for part in parts]
    n_numbers = sum(are_numbers)
    n_names = len(are_numbers) - n_numbers
    if n_numbers < WORDS_PER_SLOT:  # they get those of names
        n_names += n_numbers
    return NAME_SLOTS[: n_names // WORDS_PER_SLOT], NUMBER_SLOTS[: n_numbers // WORDS_PER_SLOT]


def _with_slots(source, slots):
    """Replace words by slots; what follows a number in a word stays."""

    def replaced(match):
        part = number_of(match[0])
        return slots[part] + match[0][len(part) :] if part in slots else match[0]

    return WORD.sub(replaced, source)
