"""A map of words: their vectors brought to two dimensions, near ones in one colour."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firth.errors import MissingExtraError, SettingsError
from firth.files import atomic_write
from firth.vectors import Vectors

WIDTH, HEIGHT = 1200, 900  # pixels
FEWEST = 5  # words; fewer have no neighbourhoods to keep
_DPI = 150
_FRAME = np.array([[45.0, 45.0], [WIDTH - 45.0, HEIGHT - 130.0]])  # lower left and upper right of the words
_GAP = (7.0, 5.0)  # pixels that labels keep between them
_FONT = (7.0, 11.5)  # points, of the rarest word and of the most frequent
_REACH, _EDGE = 19.0, 0.5  # of the ground of a colour: the width in pixels of the bell around a word, and a height
_PERPLEXITY = 10  # neighbours that t-SNE tries to keep together
_PAPER, _INK, _FAINT = "#fcfbf8", "#26262e", "#85858f"
_COLOURS = (
    "#c0392b", "#1f6fb2", "#1e8449", "#b9650b", "#7d3c98", "#0e7c86", "#a8336b",
    "#4d6a12", "#4a55c4", "#8a5a2b", "#54657a", "#d35400", "#00695c", "#6a4fb3",
)  # fmt: skip

Points = NDArray[np.float64]  # (n, 2), in pixels from the lower left
Colours = NDArray[np.int32]  # (n,), indices into _COLOURS


def word_map(
    vectors: Vectors, words: Sequence[str], path: str | Path, *, title: str, subtitle: str = "", seed: int = 1
) -> None:
    """Draw a map of these words as a PNG of `WIDTH` × `HEIGHT`.

    Places are t-SNE's of the cosines between the words (van der Maaten & Hinton 2008), colours k-means' of
    the places, and frequent words are larger; labels that would cover each other are moved apart. Raises
    `MissingExtraError` without matplotlib and scikit-learn, and `UnknownWordError`.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from sklearn.cluster import KMeans
        from sklearn.manifold import TSNE
    except ImportError:
        raise MissingExtraError("the map of words", "plot") from None
    if len(words) < FEWEST:
        raise SettingsError(f"a map of {len(words)} words shows nothing; give {FEWEST} or more")
    tsne = TSNE(metric="cosine", perplexity=min(_PERPLEXITY, len(words) / 3), init="random", random_state=seed)
    places = _framed(tsne.fit_transform(vectors[list(words)]).astype(np.float64))
    colours = KMeans(min(len(_COLOURS), len(words)), n_init=20, random_state=seed).fit_predict(places)

    figure = Figure(figsize=(WIDTH / _DPI, HEIGHT / _DPI), dpi=_DPI, facecolor=_PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(0, HEIGHT))
    axes.axis("off")
    axes.text(48, HEIGHT - 62, title, fontsize=15, weight="bold", color=_INK)
    axes.text(48, HEIGHT - 88, subtitle, fontsize=8, color=_FAINT)
    places, halves = _write_words(axes, words, places, colours, _font_sizes(vectors, words))
    _paint_ground(axes, places, halves, colours)
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=_DPI)


def _framed(places: Points) -> Points:
    """Places stretched to fill the frame."""
    low, high = places.min(axis=0), places.max(axis=0)
    framed: Points = _FRAME[0] + (places - low) / np.where(high > low, high - low, 1) * (_FRAME[1] - _FRAME[0])
    return framed


def _font_sizes(vectors: Vectors, words: Sequence[str]) -> NDArray[np.float64]:
    """Sizes that fall with the logarithm of a word's rank, in points, (n,)."""
    ranks = np.log([1.0 + vectors.words.position(word) for word in words])
    sizes: NDArray[np.float64] = np.interp(ranks, [ranks.min(), ranks.max()], _FONT[::-1])
    return sizes


def _write_words(
    axes: Any, words: Sequence[str], places: Points, colours: Colours, sizes: NDArray[np.float64]
) -> tuple[Points, Points]:
    """Write each word as near to its place as others allow; returns the labels' places and half sizes."""
    labels = [
        axes.text(*place, word, color=_COLOURS[colour], size=size, ha="center", va="center_baseline", zorder=2)
        for word, place, colour, size in zip(words, places, colours, sizes, strict=True)
    ]
    boxes = [label.get_window_extent() for label in labels]
    halves = np.array([[box.width, box.height] for box in boxes]) / 2
    places = _apart(places, halves)
    for label, place in zip(labels, places, strict=True):
        label.set_position(place)
    return places, halves


def _apart(places: Points, halves: Points) -> Points:
    """Move boxes of these half sizes (n, 2) until none covers another, the shorter way each time."""
    for _ in range(1000):
        between = places[:, None] - places[None]
        overlaps = halves[:, None] + halves[None] + _GAP - np.abs(between)
        overlaps[np.diag_indices(len(places))] = 0
        overlaps[(overlaps <= 0).any(axis=2)] = 0
        if not overlaps.any():
            break
        overlaps[overlaps > overlaps.min(axis=2, keepdims=True)] = 0
        away = np.where(between < 0, -1, 1) * overlaps
        places = np.clip(places + away.sum(axis=1) / 4, _FRAME[0] + halves, _FRAME[1] - halves)
    return places


def _paint_ground(axes: Any, places: Points, halves: Points, colours: Colours) -> None:
    """Give the words of a colour a common ground: where their nearness adds up to more than any other colour's."""
    points = np.stack(np.meshgrid(np.arange(0, WIDTH + 1, 3), np.arange(0, HEIGHT + 1, 3)), axis=-1)
    near = np.zeros((len(_COLOURS), *points.shape[:2]))
    for place, half, colour in zip(places, halves, colours, strict=True):
        beyond = np.maximum(np.abs(points - place) - half, 0) / _REACH
        near[colour] += np.exp(-(beyond**2).sum(axis=-1) / 2)
    for colour in np.unique(colours):
        others = np.delete(near, colour, axis=0).max(axis=0)
        margin = near[colour] - np.maximum(others, _EDGE)
        axes.contourf(*points.T, margin.T, levels=[0, np.inf], colors=[_COLOURS[colour]], alpha=0.1, zorder=1)
