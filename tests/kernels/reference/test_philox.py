import numpy as np
import pytest

from netdef import kernels as K

# Known answers published with Random123: counter, key, words.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
     (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]


def words(key, count):
    """``count`` words of a stream."""
    out = np.zeros(count, np.uint32)
    K.philox_bits(np.array(key, np.uint32), out)
    return out


@pytest.mark.parametrize("counter, key, want", KNOWN)
def test_known_answers(counter, key, want):
    # The start counts words, four a block, so the highest two bits of a block number cannot be asked for.
    block = counter[0] | counter[1] << 32
    if block >= 1 << 62:
        from netdef.kernels.reference.philox import philox_rounds

        got = philox_rounds(tuple(np.array([c], np.uint64) for c in counter), *key)
        assert tuple(int(w[0]) for w in got) == want
    else:
        start = 4 * block
        assert tuple(words((*key, *counter[2:], start & 0xFFFFFFFF, start >> 32), 4)) == want


@pytest.mark.parametrize("start", [1, 2, 3, 4, 7, (1 << 18) - 1])
def test_any_part_of_a_stream(start):
    whole = words((1, 2, 3, 4, 0, 0), start + 50)
    assert (words((1, 2, 3, 4, start, 0), 50) == whole[start:]).all()


def test_block_number_passes_32_bits():
    low = words((1, 2, 3, 4, 0xFFFFFFFC, 3), 8)  # blocks 2**32 - 1 and 2**32
    assert (low[4:] == words((1, 2, 3, 4, 0, 4), 4)).all()
    assert len(set(low)) == 8


def test_shape_and_strides_do_not_matter():
    out = np.zeros((3, 8), np.uint32)[:, ::2]
    K.philox_bits(np.array([1, 2, 3, 4, 0, 0], np.uint32), out)
    assert (out.reshape(-1) == words((1, 2, 3, 4, 0, 0), 12)).all()
