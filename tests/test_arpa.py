"""ARPA files: written, read, and refused."""

import gzip
import itertools

import kenlm
import numpy as np
import pytest
from ngrams import LMPLZ_ARPA, LMPLZ_TEXT

import firth
from firth import lm

SMALL = """\
\\data\\
ngram 1=5
ngram 2=2
ngram 3=1

\\1-grams:
-1.5 <unk>
-99 <s> -0.5
-1 </s>
-0.7\ta\t-0.25
-0.9\tb\t-0.125

\\2-grams:
-0.4\t<s> a\t-0.0625
-0.3\ta b

\\3-grams:
-0.1\t<s> a b

\\end\\
"""


def read(text, tmp_path):
    (tmp_path / "model.arpa").write_text(text)
    return lm.load(tmp_path / "model.arpa")


@pytest.fixture
def model():
    text = [line.split() for line in LMPLZ_TEXT.splitlines()]
    return lm.NGram(order=4, smoothing=lm.ModifiedKneserNey((0.5, 1, 1.5))).fit(text, progress=False)


@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz"])
def test_written_and_read_it_is_the_same(model, name, tmp_path):
    model.save(tmp_path / name)
    loaded = firth.load(tmp_path / name)
    assert (loaded.order, loaded.sizes, list(loaded.words)) == (4, model.sizes, list(model.words))
    for kind in ("left", "begin", "prob", "backoff"):
        for ours, theirs in zip(
            getattr(model.fitted.tables, kind), getattr(loaded.fitted.tables, kind), strict=True
        ):
            assert ours.tobytes() == theirs.tobytes()
    loaded.save(tmp_path / ("again" + name))
    opened = gzip.open if name.endswith("gz") else open
    with opened(tmp_path / name) as one, opened(tmp_path / ("again" + name)) as two:
        assert one.read() == two.read()


def test_a_model_read_may_be_saved_as_a_directory(model, tmp_path):
    model.save(tmp_path / "model.arpa")
    lm.load(tmp_path / "model.arpa").save(tmp_path / "model")
    assert lm.load(tmp_path / "model").full_scores("the cat was new") == model.full_scores("the cat was new")


def test_the_order_of_lines_plays_no_part(model, tmp_path):
    model.save(tmp_path / "model.arpa")
    lines = (tmp_path / "model.arpa").read_text().splitlines()
    sections = [list(group) for filled, group in itertools.groupby(lines, key=bool) if filled]
    turned = [s if s[0] in ("\\data\\", "\\end\\") else [s[0], *reversed(s[1:])] for s in sections]
    other = read("\n\n".join("\n".join(s) for s in turned) + "\n", tmp_path)
    assert other.full_scores("a dog sat on the flat mat") == model.full_scores("a dog sat on the flat mat")


def test_spaces_for_tabs_and_absent_back_offs(tmp_path):
    model = read(SMALL, tmp_path)
    assert [each.log10 for each in model.full_scores("a b a")] == pytest.approx([-0.4, -0.1, -0.825, -1.25])
    assert [each.length for each in model.full_scores("a b a")] == [2, 3, 1, 1]


def test_suffixes_that_a_pruned_file_lacks(model, tmp_path):
    model.save(tmp_path / "model.arpa")
    text = (tmp_path / "model.arpa").read_text()
    for k, gram in ((3, "sat on the"), (2, "on the")):  # "dog sat on the" stays
        line = next(line for line in text.splitlines() if line.split("\t")[1:2] == [gram])
        text = text.replace(f"\n{line}\n", "\n").replace(
            f"ngram {k}={model.sizes[k - 1]}", f"ngram {k}={model.sizes[k - 1] - 1}"
        )
    pruned = read(text, tmp_path)
    assert pruned.sizes == model.sizes
    known = kenlm.Model(str(tmp_path / "model.arpa"))
    for sentence in ("the dog sat on the mat", "sat on the cat", "on the dog", "the dog sat on on the the"):
        found = [each.log10 for each in pruned.full_scores(sentence)]
        np.testing.assert_allclose(found, [each[0] for each in known.full_scores(sentence)], atol=1e-6)


def test_without_an_unknown_word_it_has_the_probability_that_kenlm_gives_it(tmp_path):
    model = read(SMALL.replace("1=5", "1=4").replace("-1.5 <unk>\n", ""), tmp_path)
    assert model.full_scores("zzz", bos=False, eos=False)[0].log10 == -100


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("1=5", "1=6", r"model.arpa:12: '' is not a number, 1 words .* as many"),
        ("2=2", "2=1", r"model.arpa:15: '-0.3\\ta b' stands where \\3-grams: must"),
        ("ngram 2", "ngram 3", r"model.arpa:3: .* is no count of 2-grams"),
        ("-0.3", "0.3", r"model.arpa:15: '0.3' is not the log10 of a probability"),
        ("-0.3", "nan", r"model.arpa:15: 'nan' is not the log10"),
        ("-0.3\ta b", "-0.3\ta c", r"model.arpa:15: 'c' is not among the 1-grams"),
        ("-0.3\ta b", "-0.3\t<s> a", r"one of the 2-grams stands twice"),
        ("-0.9\tb\t-0.125", "-0.9\ta", r"model.arpa:15: 'b' is not among the 1-grams|stands twice"),
        ("-1 </s>", "-1 </t>", r"</s> is not among the 1-grams"),
        ("\\end\\\n", "", r"the file ends before \\end\\; it was cut short"),
        ("\\2-grams", "\\4-grams", r"model.arpa:13: .* stands where \\2-grams: must"),
    ],
)
def test_damage_is_said_with_its_line(old, new, said, tmp_path):
    with pytest.raises(firth.FormatError, match=said):
        read(SMALL.replace(old, new), tmp_path)


def test_a_file_cut_short_in_its_compression_is_said(tmp_path):
    (tmp_path / "model.arpa.gz").write_bytes(gzip.compress(LMPLZ_ARPA.encode())[:-200])
    with pytest.raises(firth.FormatError, match="cannot be read to its end"):
        lm.load(tmp_path / "model.arpa.gz")


@pytest.mark.parametrize("smoothing", [lm.AddK(), lm.MaximumLikelihood()], ids=str)
def test_what_does_not_back_off_is_refused(smoothing, tmp_path):
    model = lm.NGram(order=2, smoothing=smoothing).fit([["a", "b"]], progress=False)
    with pytest.raises(firth.SettingsError, match=f"which {smoothing.name} does not; save a directory"):
        model.save(tmp_path / "model.arpa")
    assert not list(tmp_path.iterdir())


def test_words_with_spaces_are_refused(tmp_path):
    model = lm.NGram(order=1, smoothing=lm.KneserNey(0.5)).fit([["new york", "b"]], progress=False)
    with pytest.raises(firth.FormatError, match="'new york' holds white space"):
        model.save(tmp_path / "model.arpa")
