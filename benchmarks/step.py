"""One step of a benchmark in a process of its own: what other programs start here prints its seconds as JSON.

    python benchmarks/step.py train-gensim TEXT OUT vector_size=100 sg=1 ...

Keywords go to the tool as they are.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any, BinaryIO


def gensim_model(text: str, **keywords: Any) -> tuple[Any, float]:
    """gensim's model, trained in file mode, and the seconds of `train` alone: the vocabulary is counted before."""
    from gensim.models import Word2Vec

    model = Word2Vec(**keywords)
    model.build_vocab(corpus_file=text)
    began = time.perf_counter()
    model.train(
        corpus_file=text,
        total_words=model.corpus_total_words,
        total_examples=model.corpus_count,
        epochs=model.epochs,
    )
    return model, time.perf_counter() - began


def train_gensim(text: str, out: str, **keywords: Any) -> float:
    model, seconds = gensim_model(text, **keywords)
    model.wv.save_word2vec_format(out, binary=True)
    return seconds


def train_fasttext(text: str, out: str, **keywords: Any) -> None:
    """Without subwords, so that it is word2vec. It does not tell the phases apart."""
    import fasttext
    import numpy as np

    from firth import Vectors

    model = fasttext.train_unsupervised(text, minn=0, maxn=0, verbose=0, **keywords)
    words = model.get_words()
    Vectors(words, np.stack([model.get_word_vector(word) for word in words])).save(out)


def count_gensim(text: str) -> float:
    from gensim.models import Word2Vec

    model = Word2Vec(min_count=5)
    began = time.perf_counter()
    model.build_vocab(corpus_file=text)
    return time.perf_counter() - began


def encode_firth(text: str, cache: str, threads: int) -> float:
    """Count and encode, to ids on the disk."""
    from firth import Corpus

    began = time.perf_counter()
    Corpus.read(text, cache=cache, threads=threads)
    return time.perf_counter() - began


def decompress_firth(text: str) -> float:
    from firth.files import open_binary

    return _read(open_binary(text))


def decompress_python(text: str) -> float:
    import gzip
    import lzma

    return _read((gzip if text.endswith(".gz") else lzma).open(text))


def _read(file: BinaryIO) -> float:
    began = time.perf_counter()
    with file:
        while file.read(1 << 20):
            pass
    return time.perf_counter() - began


STEPS = {
    "train-gensim": train_gensim,
    "train-fasttext": train_fasttext,
    "count-gensim": count_gensim,
    "encode-firth": encode_firth,
    "decompress-firth": decompress_firth,
    "decompress-python": decompress_python,
}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def main() -> None:
    name, *arguments = sys.argv[1:]
    paths = [each for each in arguments if "=" not in each]
    pairs = (each.split("=", 1) for each in arguments if "=" in each)
    seconds = STEPS[name](*paths, **{key: _value(value) for key, value in pairs})
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
