"""The Mersenne twister for many seeds at once. It draws the same numbers as torch and NumPy on a CPU."""

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]
SIZE, MIDDLE = 624, 397  # the number of words in a state, and the index of a word that the next word mixes in
FACTOR = np.uint32(1812433253)


def first_words(seeds: Words, count: int) -> Words:
    """Draw the first ``count`` 32-bit numbers for each of n seeds, as an array ``(count, n)``.

    ``np.random.RandomState(seed)`` and ``torch.Generator().manual_seed(seed)`` draw the same numbers. A Python loop
    goes over the words of a state, and NumPy computes each word for all seeds at once.

    Source: Matsumoto and Nishimura, "Mersenne Twister: A 623-Dimensionally Equidistributed Uniform Pseudo-Random Number
    Generator", 1998, https://doi.org/10.1145/272991.272995.

    >>> first_words(np.array([5489, 42], dtype=np.uint32), 2).tolist()
    [[3499211612, 1608637542], [581869302, 3421126067]]
    """
    words = np.empty((SIZE + count, len(seeds)), dtype=np.uint32)
    _seed(words[: min(SIZE, MIDDLE + count)], seeds, count)
    for start in range(0, count, SIZE - MIDDLE):  # one block at a time, because later blocks depend on this block
        stop = min(start + SIZE - MIDDLE, count)
        mixed = words[start:stop] & 0x80000000 | words[start + 1 : stop + 1] & 0x7FFFFFFF
        twisted = mixed >> 1 ^ (mixed & 1) * np.uint32(0x9908B0DF)
        np.bitwise_xor(words[MIDDLE + start : MIDDLE + stop], twisted, out=words[SIZE + start : SIZE + stop])
    return _tempered(words[SIZE:])


def _seed(state: Words, seeds: Words, count: int) -> None:
    """Fill a state from the seeds. Skip the words between ``count`` and ``MIDDLE``, which are never read."""
    row, high = seeds.copy(), np.empty_like(seeds)
    state[0] = row
    for number, step in enumerate(np.arange(1, len(state), dtype=np.uint32), 1):
        np.right_shift(row, 30, out=high)
        np.bitwise_xor(row, high, out=row)
        np.multiply(row, FACTOR, out=row)
        np.add(row, step, out=row)
        if number <= count or number >= MIDDLE:
            state[number] = row


def _tempered(words: Words) -> Words:
    words ^= words >> 11
    words ^= words << 7 & 0x9D2C5680
    words ^= words << 15 & 0xEFC60000
    words ^= words >> 18
    return words
