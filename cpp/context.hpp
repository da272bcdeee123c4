// Contexts: a position in the text becomes hidden rows, each of which predicts a target.
//
// Skip-gram in word2vec.c's roles: the input row of every word around a position is a hidden row and predicts the
// word there. CBOW: one hidden row is made of all of them (windows.hpp).
#pragma once
#include "random.hpp"

namespace firth {
namespace FIRTH_ISA {

// A run of surviving words of one sentence. The words from `begin` to `end` are predicted; those around them,
// as many as the window is wide, belong to the same sentence and serve as context.
struct Stretch {
    uint32_t* ids;
    uint32_t *inputs, *outputs;  // the places of their rows; the ids themselves where rows are not located
    int begin, end, size;
    uint64_t from, to;  // tokens of the block before it, and with it

    bool located() const { return outputs != ids; }

    // Cuts off the first so many words that are predicted, with what is their context.
    Stretch cut(int words, int window) {
        Stretch first = *this;
        first.end = begin + words;
        first.to = from + (to - from) * uint64_t(words) / uint64_t(end - begin);
        begin = first.end, from = first.to;
        const int before = first.begin > window ? first.begin - window : 0;
        first.ids += before, first.begin -= before, first.end -= before;
        first.size = (size < begin + window ? size : begin + window) - before;
        return first;
    }
};

struct Prediction {
    uint32_t targets[2];  // of all hidden rows, or where there are two, of each of two
    int several;          // targets
    int hidden;           // hidden rows
};

// The words around a position, but for the one that stands there.
struct Window {
    int from, to;
    int words() const { return to - from - 1; }
};

// The words of some stretches that are predicted, one after another.
class Words {
  public:
    Words(const Stretch* begin, const Stretch* end)
        : stretch_(begin), end_(end), at_(begin < end ? begin->begin : 0) {}

    // The place of the next one's input row; null behind the last.
    const uint32_t* next() {
        if (stretch_ == end_) return nullptr;
        const uint32_t* const found = stretch_->inputs + at_++;
        if (at_ == stretch_->end && ++stretch_ < end_) at_ = stretch_->begin;
        return found;
    }

  private:
    const Stretch *stretch_, *const end_;
    int at_;
};

// Whether the occurrence at `position` is learnt: it is in the vocabulary and survives subsampling, which its
// own random number decides, so that neighbouring blocks agree on it.
inline bool survives(const Text& text, uint64_t key, uint64_t position) {
    const uint32_t id = text.ids[position];
    const bool known = id < text.vocabulary;
    return known &
           (uint32_t(hashed(key + position) >> 32) <= text.keep[known ? id : 0]);  // no branch to mispredict
}

// Gather the surviving words of [begin, end), a part of the sentence [sentence, sentence_end). Where none of them
// survives nobody asks for their context, and none is sought: it may be millions of unknown words away.
inline void gather(const Text& text, uint64_t key, int window, uint64_t sentence, uint64_t begin, uint64_t end,
                   uint64_t sentence_end, Stretch& stretch) {
    uint32_t* const first = stretch.ids + window;
    int count = 0, before = 0, after = 0;
    for (uint64_t p = begin; p < end; ++p) {
        first[count] = text.ids[p];
        count += survives(text, key, p);
    }
    if (count > 0) {
        for (uint64_t p = begin; p > sentence && before < window;)
            if (survives(text, key, --p)) *(first - ++before) = text.ids[p];
        for (uint64_t p = end; p < sentence_end && after < window; ++p)
            if (survives(text, key, p)) first[count + after++] = text.ids[p];
    }
    stretch.ids = first - before;
    stretch.begin = before;
    stretch.end = before + count;
    stretch.size = before + count + after;
}

inline Window around(const ContextSettings& settings, const Stretch& stretch, int at, Random& random) {
    const int window = settings.shrink ? 1 + int(random.below(settings.window)) : int(settings.window);
    return {at > window ? at - window : 0, at + window < stretch.size ? at + window + 1 : stretch.size};
}

// The places of the words around a position. Returns their number.
inline int surround(const ContextSettings& settings, const Stretch& stretch, int at, Random& random,
                    uint32_t* places) {
    const Window window = around(settings, stretch, at, random);
    // As many as the widest window has, though not all will count: random numbers of turns are mispredicted.
    for (int i = 0; i < int(settings.window); ++i) places[i] = stretch.inputs[window.from + i];
    for (int i = 0; i < int(settings.window); ++i) places[at - window.from + i] = stretch.inputs[at + 1 + i];
    return window.words();
}

// Two positions of a run are predicted at once, each from a hidden row of its own and both with the same output
// rows, where the objective has room for `most` targets, 2: the n-th and the n-th of its second half. Returns how
// far one is behind the other, or where none are, how many there are. (Neighbours, whose windows share words,
// would teach these half as many negatives: a point of analogies less.)
inline int apart(int positions, int reach, int most) {
    const int half = (positions + 1) / 2;
    return most > 1 && half > reach ? half : positions;
}

}  // namespace FIRTH_ISA
}  // namespace firth
