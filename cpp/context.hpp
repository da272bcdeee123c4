// Contexts: a position in the text becomes (groups of input rows, target). Each group makes one hidden row.
//
// Skip-gram in word2vec.c's roles: every context word is a group of its own and predicts the centre word.
// CBOW: all context words are one group, and two words far apart may be predicted at once, each from its own group
// and both with the same negatives. A new architecture is another case of `emit`.
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
    uint32_t targets[2];  // of all groups, or where there are two, of each of two
    int several;          // targets
    int hidden;           // groups
    uint32_t* places;     // of the input rows of all groups, one after another
    int* ends;            // end of each group in `places`; at first, each is of one
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

// The places of the words around position `at`. Returns their number.
inline int surround(const ContextSettings& settings, const Stretch& stretch, int at, Random& random,
                    uint32_t* places) {
    const int window = settings.shrink ? 1 + int(random.below(settings.window)) : int(settings.window);
    const int from = at > window ? at - window : 0;
    const int to = at + window < stretch.size ? at + window + 1 : stretch.size;
    // As many as the widest window has, though not all will count: random numbers of turns are mispredicted.
    for (int i = 0; i < int(settings.window); ++i) places[i] = stretch.inputs[from + i];
    for (int i = 0; i < int(settings.window); ++i) places[at - from + i] = stretch.inputs[at + 1 + i];
    return to - from - 1;
}

// Two positions are predicted at once where the objective has room for `most` targets, 2, and all of a window is
// one group: the n-th of a stretch and the n-th of its second half. Returns how far one is behind the other, or
// where none are, how many there are. (Neighbours, whose windows share words, would teach these half as many
// negatives: a point of analogies less.)
inline int apart(const ContextSettings& settings, const Stretch& stretch, int most) {
    const int positions = stretch.end - stretch.begin, half = (positions + 1) / 2;
    const bool two = settings.architecture == Architecture::cbow && most > 1 && half > int(settings.window);
    return two ? half : positions;
}

// The prediction at position `at` of a stretch, and if there is one, that at `second`; a word without context has
// no hidden rows.
inline void emit(const ContextSettings& settings, const Stretch& stretch, int at, int second, Random& random,
                 Prediction& out) {
    const int count = surround(settings, stretch, at, random, out.places);
    out.several = second < stretch.end ? 2 : 1;
    out.targets[0] = stretch.outputs[at], out.targets[1] = stretch.outputs[out.several == 2 ? second : at];
    switch (settings.architecture) {
        case Architecture::skipgram:
            out.hidden = count;
            break;
        case Architecture::cbow:
            out.hidden = count > 0 ? out.several : 0;
            out.ends[0] = count;
            if (out.several == 2)
                out.ends[1] = count + surround(settings, stretch, second, random, out.places + count);
            break;
    }
}

}  // namespace FIRTH_ISA
}  // namespace firth
