// Use: the longest n-gram that is known, and the back-offs of the histories that are longer.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ngram.hpp"

namespace firth::ngram {

namespace {

constexpr uint32_t none = ~0u;

uint32_t child(const Level& parents, const Level& children, uint32_t node, uint32_t word) {
    const uint32_t *from = children.left + parents.begin[node], *end = children.left + parents.begin[node + 1];
    const uint32_t* found = std::lower_bound(from, end, word);
    return found < end && *found == word ? uint32_t(found - children.left) : none;
}

}  // namespace

Score score(const Model& model, const State& state, uint32_t word, State* next) {
    const int order = model.order();
    uint32_t node = word;
    Score score{model.levels[0].prob[node], 1};
    const auto remember = [&] {
        if (next && score.length < order)
            next->backoffs[size_t(score.length) - 1] = model.levels[size_t(score.length) - 1].backoff[node];
    };
    remember();
    while (score.length <= state.known && score.length < order) {
        const size_t k = size_t(score.length);
        const uint32_t longer = child(model.levels[k - 1], model.levels[k], node, state.words[k - 1]);
        if (longer == none) break;
        node = longer;
        score = {model.levels[k].prob[node], score.length + 1};
        remember();
    }
    if (next) {
        next->length = std::min(state.length + 1, order - 1);
        next->known = std::min(score.length, order - 1);
        if (next->length) next->words[0] = word;
        std::copy_n(state.words.begin(), std::max(next->length - 1, 0), next->words.begin() + 1);
    }
    if (!model.alone) {
        for (int k = score.length; k <= state.known; ++k) score.log10 += state.backoffs[size_t(k) - 1];
    } else if (score.length <= state.length) {
        score.log10 = state.known < state.length ? model.unseen : state.backoffs[size_t(state.length) - 1];
    }
    return score;
}

}  // namespace firth::ngram
