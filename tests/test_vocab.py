"""Vocabularies: order, pruning, files, and what training derives from counts."""

import gzip
import heapq
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.errors import SettingsError, VocabularyError
from firth.vocab import HuffmanTree, Vocabulary
from firth.words import PackedWords, encode

# Anything that bytes can hold: lone surrogates only as escapes of single bytes.
words = st.one_of(
    st.text(min_size=1),
    st.text(st.sampled_from("ab \t\n\r\\#\x00\x85\u2028"), min_size=1, max_size=6),
    st.binary(min_size=1, max_size=6).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
)
counts = st.dictionaries(words, st.integers(1, 1 << 62), min_size=1, max_size=30)
count_lists = st.lists(st.integers(1, 1_000_000), min_size=1, max_size=60).map(
    lambda found: np.array(sorted(found, reverse=True), dtype=np.int64)
)


def small() -> Vocabulary:
    return Vocabulary.from_counts({"the": 9, "of": 5, "b": 2, "a": 2, "é": 2, "rare": 1})


def test_order_is_by_count_then_bytes():
    assert small().words[:] == ["the", "of", "a", "b", "é", "rare"]
    assert small().counts.tolist() == [9, 5, 2, 2, 2, 1]
    assert small().total == 21


@given(counts, st.integers(1, 1 << 62), st.integers(1, 40))
def test_prune_gives_the_exact_top(counted, min_count, max_size):
    vocab = Vocabulary.from_counts(counted)
    ranked = sorted(counted, key=lambda word: (-counted[word], encode(word)))
    expected = [word for word in ranked if counted[word] >= min_count][:max_size]
    if not expected:
        with pytest.raises(VocabularyError, match="min_count"):
            vocab.prune(min_count=min_count, max_size=max_size)
        return
    pruned = vocab.prune(min_count=min_count, max_size=max_size)
    assert pruned.words[:] == expected
    assert pruned.counts.tolist() == [counted[word] for word in expected]


def test_prune_refuses_what_cannot_work():
    with pytest.raises(SettingsError, match="min_count=0"):
        small().prune(min_count=0)
    with pytest.raises(SettingsError, match="max_size=0"):
        small().prune(max_size=0)
    with pytest.raises(VocabularyError, match=r"min_count=10.* occurs 9 times"):
        small().prune(min_count=10)


def test_keep_probabilities_are_those_of_word2vec():
    vocab = small()
    kept = vocab.keep_probabilities(0.1)
    for count, probability in zip(vocab.counts, kept, strict=True):
        # As word2vec.c has it: (sqrt(cn / (sample * total)) + 1) * (sample * total) / cn.
        threshold = 0.1 * vocab.total
        assert probability == pytest.approx(min(1.0, ((count / threshold) ** 0.5 + 1) * threshold / count))
    assert kept[0] < 1.0
    assert kept[-1] == 1.0
    assert vocab.keep_probabilities(0).tolist() == [1.0] * 6


@given(count_lists, st.floats(-1.0, 1.5))
def test_noise_is_a_power_of_the_counts(numbers, exponent):
    vocab = Vocabulary(PackedWords.pack(str(i) for i in range(len(numbers))), numbers)
    noise = vocab.noise(exponent)
    assert noise.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(noise / noise[0], (numbers / numbers[0]) ** exponent, rtol=1e-9)


@given(counted=counts)
def test_saved_and_loaded_are_equal(tmp_path_factory, counted):
    path = tmp_path_factory.mktemp("vocab") / "vocab.txt"
    vocab = Vocabulary.from_counts(counted)
    vocab.save(path)
    loaded = Vocabulary.load(path)
    assert loaded.words[:] == vocab.words[:]
    assert loaded.counts.tolist() == vocab.counts.tolist()


def test_reads_the_files_of_others(tmp_path):
    plain = tmp_path / "word2vec.txt"
    plain.write_bytes(b"</s> 3\r\nthe 9\r\nof 5\r\n")  # as word2vec.c -save-vocab writes
    assert dict(zip(Vocabulary.load(plain).words, [9, 5, 3], strict=True)) == {"the": 9, "of": 5, "</s>": 3}
    zipped = tmp_path / "vocab.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    assert Vocabulary.load(zipped).words[:] == ["the", "of", "</s>"]
    plain.write_bytes(rb"C:\new 5")  # they escape nothing
    assert Vocabulary.load(plain).words[:] == [r"C:\new"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"the 9\nof\n", "bad.txt:2: 'of' is not a word"),
        (b"the nine\n", "bad.txt:1"),
        (b"the 0\n", "bad.txt:1"),
        (b"the -1\n", "bad.txt:1"),
        ("the ²\n".encode(), "bad.txt:1"),
        (b"the\t99999999999999999999\n", "bad.txt:1"),
        (b"the 9\n\nof 5\n", "bad.txt:2"),
        (b"the 9\nof 5\nthe 4\n", "bad.txt:3: 'the' stands here for the second time"),
        (b"\t5\n", "bad.txt:1"),
    ],
)
def test_bad_files_are_said_with_their_line(tmp_path, content, said):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(VocabularyError) as raised:
        Vocabulary.load(path)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_truncated_file_is_said(tmp_path):
    whole = gzip.compress(b"".join(b"word%d 5\n" % i for i in range(1000)))
    path = tmp_path / "vocab.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VocabularyError, match="cut short"):
        Vocabulary.load(path)


def paths(numbers: np.ndarray) -> list[list[tuple[int, int]]]:
    tree = HuffmanTree.build(numbers)
    return [tree.path(word) for word in range(len(tree))]


def least_cost(numbers: list[int]) -> int:
    """Occurrences times code length, summed, of an optimal code: each merge lengthens the codes below it."""
    heap, cost = list(numbers), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        cost += merged
        heapq.heappush(heap, merged)
    return cost


@given(count_lists)
def test_huffman_codes_are_complete_and_optimal(numbers):
    codes = paths(numbers)
    assert sum(2.0 ** -len(code) for code in codes) == 1.0  # exact: the depths are far below 1,000
    assert sum(len(c) * n for c, n in zip(codes, numbers.tolist(), strict=True)) == least_cost(numbers.tolist())


@given(count_lists)
def test_huffman_paths_walk_one_tree(numbers):
    codes = paths(numbers)
    children: dict[tuple[int, int], set[object]] = {}
    for word, code in enumerate(codes):
        below = [("node", node) for node, _ in code[1:]] + [("leaf", word)]
        for step, target in zip(code, below, strict=False):
            children.setdefault(step, set()).add(target)
    # Each inner node goes to exactly one thing on each side, each thing hangs on one node, and all are there.
    assert set(children) == {(node, bit) for node in range(len(numbers) - 1) for bit in (0, 1)}
    assert all(len(targets) == 1 for targets in children.values())
    parents = Counter(target for targets in children.values() for target in targets)
    assert set(parents.values()) <= {1}
    assert len(parents) == 2 * (len(numbers) - 1)
    assert {code[0][0] for code in codes if code} <= {0}  # the root


@given(count_lists)
def test_huffman_nodes_come_by_falling_weight(numbers):
    weights = np.zeros(len(numbers) - 1)
    for code, count in zip(paths(numbers), numbers, strict=True):
        for node, _ in code:
            weights[node] += count
    assert weights.tolist() == sorted(weights, reverse=True)


@given(count_lists, st.integers(0, 2**32))
def test_sums_along_paths_and_over_sides(numbers, seed):
    tree, random = HuffmanTree.build(numbers), np.random.default_rng(seed)
    if len(tree) == 1:
        return
    terms, leaves = random.normal(size=(2, len(tree) - 1, 3)), random.normal(size=(len(tree), 3))
    sides = np.zeros_like(terms)
    for word, found in enumerate(tree.path_sums(terms)):
        assert found == pytest.approx(sum(terms[bit, node] for node, bit in tree.path(word)))
        for node, bit in tree.path(word):
            sides[bit, node] += leaves[word]
    assert tree.sides(leaves) == pytest.approx(sides)


def test_huffman_of_no_word_one_and_two():
    assert len(HuffmanTree.build(np.array([], dtype=np.int64))) == 0
    assert paths(np.array([7])) == [[]]
    assert sorted(paths(np.array([7, 3]))) == [[(0, 0)], [(0, 1)]]


def test_huffman_of_large_counts():
    found = paths(np.array([1 << 60, 1 << 60, 1 << 60, 1 << 60, 1]))
    assert sorted(map(len, found)) == [2, 2, 2, 3, 3]
