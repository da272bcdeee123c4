// Estimation: counts become probabilities and back-offs, level by level.
//
// A history's numbers need the n-grams that continue it, which are scattered over the level above, a few under
// each last word. What ends in one range of words as a history does so at every level, though, and so do its
// suffixes: such a shard is estimated without a look at the others.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "ngram.hpp"

namespace firth::ngram {

namespace {

// The index of the child `word` of a node, or the place where it would stand.
uint32_t lower_bound(const uint32_t* left, uint32_t from, uint32_t to, uint32_t word) {
    return uint32_t(std::lower_bound(left + from, left + to, word) - left);
}

// The n-grams of level k whose history ends in one range of words: under each last word they lie together.
class Shard {
  public:
    Shard(const Levels& levels, int k, Range last) : levels_(levels), k_(k) {
        const Level &words = levels[0], &pairs = levels[1];
        for (uint32_t word = 0; word < words.size; ++word) {
            const uint32_t to = words.begin[word + 1];
            const uint32_t low = lower_bound(pairs.left, words.begin[word], to, last.from);
            const uint32_t high = lower_bound(pairs.left, low, to, last.to);
            if (low < high) pieces_.push_back({word, low, high});
        }
        histories = {last.from, last.to};
        for (int level = 2; level < k; ++level) histories = below(level, histories);
    }

    struct Bounds {
        uint32_t from, to;
    };
    Bounds histories;  // at level k − 1

    // Calls visit(n-gram, its suffix) for all of them, in order.
    template <class Visit>
    void each(Visit visit) const {
        for (const Piece& piece : pieces_) {
            Bounds grams{piece.low, piece.high};
            uint32_t suffix = piece.word;
            for (int level = 3; level <= k_; ++level) {
                suffix = grams.from;
                grams = below(level, grams);
            }
            const uint32_t* begin = levels_[size_t(k_) - 2].begin;
            for (uint32_t gram = grams.from; gram < grams.to; ++gram) {
                while (begin[suffix + 1] <= gram) ++suffix;
                visit(gram, suffix);
            }
        }
    }

  private:
    struct Piece {
        uint32_t word, low, high;  // the pairs under a last word
    };

    // The n-grams of `level` whose suffixes are these, of the level before.
    Bounds below(int level, Bounds suffixes) const {
        const uint32_t* begin = levels_[size_t(level) - 2].begin;
        return {begin[suffixes.from], begin[suffixes.to]};
    }

    const Levels& levels_;
    int k_;
    std::vector<Piece> pieces_;
};

// Finds the history of each n-gram of a shard. That of "a b c" is the child "a" of the history of "b c"; children
// of one suffix come in the order of their leftmost words, hence so do their histories.
void link(const Levels& levels, int k, const Shard& shard, Histories histories) {
    const uint32_t* left = levels[size_t(k) - 1].left;
    if (k == 2) {
        shard.each([&](uint32_t gram, uint32_t) { histories.here[gram] = left[gram]; });
        return;
    }
    const uint32_t *begin = levels[size_t(k) - 3].begin, *among = levels[size_t(k) - 2].left;
    uint32_t last = ~0u, at = 0, to = 0;
    shard.each([&](uint32_t gram, uint32_t suffix) {
        if (suffix != last) {
            const uint32_t history = histories.below[suffix];
            last = suffix, at = begin[history], to = begin[history + 1];
        }
        at = lower_bound(among, at, to, left[gram]);
        histories.here[gram] = at++;
    });
}

struct Sums {          // over the words that follow a history
    double total = 0;  // counts
    double taken = 0;  // from these, for words that were not seen
};
struct Seen {            // for Combine::back_off
    double shorter = 0;  // what shorter histories give the words that were seen
    uint32_t words = 0;
};

// The weight of shorter histories, in Katz's form: what is left, over what shorter histories leave.
float back_off(Sums& sums, const Seen& seen, uint32_t words) {
    if (seen.words == words) {  // nothing is left to give to
        sums.total -= sums.taken;
        return 0;
    }
    // Where nothing was taken, the total counts one more (a device of Doug Paul's, as in SRILM).
    double left = sums.taken;
    if (left <= 0) left = 1, sums.total += 1;
    return float(left / sums.total / std::max(1 - seen.shorter, 1e-12));
}

}  // namespace

void estimate(const Levels& levels, int k, Range last, const Smoothing& smoothing, Histories histories) {
    const Level &below = levels[size_t(k) - 2], &here = levels[size_t(k) - 1];
    const Shard shard(levels, k, last);
    link(levels, k, shard, histories);

    const bool katz = smoothing.combine == Combine::back_off, alone = smoothing.combine == Combine::alone;
    const uint32_t first = shard.histories.from, size = shard.histories.to - first;
    std::vector<Sums> sums(size);
    std::vector<Seen> seen(katz ? size : 0);
    shard.each([&](uint32_t gram, uint32_t suffix) {
        const uint32_t history = histories.here[gram] - first, count = here.count[gram] & ~pruned;
        const bool out = here.count[gram] & pruned;
        if (alone && out) return;  // as if it had not been seen
        sums[history].total += count;
        sums[history].taken += out ? count : smoothing.taken(count);
        if (katz && !out) seen[history].shorter += below.prob[suffix], ++seen[history].words;
    });

    const double add = smoothing.add, all = add * smoothing.words;
    for (uint32_t i = 0; i < size; ++i) {
        float& weight = below.backoff[first + i];
        if (alone)
            weight = float(add / (sums[i].total + all));
        else if (sums[i].total == 0)
            weight = 1;
        else
            weight = katz ? back_off(sums[i], seen[i], smoothing.words) : float(sums[i].taken / sums[i].total);
    }

    shard.each([&](uint32_t gram, uint32_t suffix) {
        const uint32_t history = histories.here[gram], count = here.count[gram] & ~pruned;
        const double total = sums[history - first].total + (alone ? all : 0);
        double found = (count - (alone ? -add : smoothing.taken(count))) / total;
        if (smoothing.combine == Combine::interpolate)
            found += double(below.backoff[history]) * below.prob[suffix];
        here.prob[gram] = std::min(float(found), 1.0f);
    });
}

namespace {

std::vector<double> totals(const Level& here, const Shard& shard, const uint32_t* histories) {
    std::vector<double> found(shard.histories.to - shard.histories.from);
    shard.each([&](uint32_t gram, uint32_t) {
        found[histories[gram] - shard.histories.from] += here.count[gram] & ~pruned;
    });
    return found;
}

// Relative frequency without the occurrence that is to be predicted.
double left_out_frequency(uint32_t count, double total) {
    return total > 1 ? (count - 1) / (total - 1) : 0;
}

}  // namespace

std::vector<double> ratios(const Levels& levels, int k, Range last, Histories histories, const float* left_out) {
    const Level& here = levels[size_t(k) - 1];
    const Shard shard(levels, k, last);
    link(levels, k, shard, histories);
    const std::vector<double> total = totals(here, shard, histories.here);
    std::vector<double> bins(ratio_bins);
    shard.each([&](uint32_t gram, uint32_t suffix) {
        const uint32_t count = here.count[gram] & ~pruned;
        const double frequency = left_out_frequency(count, total[histories.here[gram] - shard.histories.from]);
        int bin = 0;
        if (frequency > 0)
            bin = std::clamp(ratio_zero + int(std::lround(8 * std::log2(frequency / left_out[suffix]))), 1,
                             ratio_bins - 1);
        bins[size_t(bin)] += count;
    });
    return bins;
}

void leave_out(const Levels& levels, int k, Range last, Histories histories, double weight, LeftOut left_out) {
    const Level& here = levels[size_t(k) - 1];
    const Shard shard(levels, k, last);
    const std::vector<double> total = totals(here, shard, histories.here);
    shard.each([&](uint32_t gram, uint32_t suffix) {
        const uint32_t count = here.count[gram] & ~pruned;
        const double frequency = left_out_frequency(count, total[histories.here[gram] - shard.histories.from]);
        left_out.here[gram] = float(weight * frequency + (1 - weight) * left_out.below[suffix]);
    });
}

void compact(const Level& parents, const Level& from, const Level& to_parents, const Level& to) {
    uint32_t out = 0, parent = 0;
    for (uint64_t i = 0; i < parents.size; ++i) {
        if (parents.count[i] & pruned) continue;
        to_parents.begin[parent++] = out;
        for (uint32_t gram = parents.begin[i]; gram < parents.begin[i + 1]; ++gram) {
            if (from.count[gram] & pruned) continue;
            to.left[out] = from.left[gram];
            to.prob[out] = from.prob[gram];
            if (to.backoff) to.backoff[out] = from.backoff[gram];
            ++out;
        }
    }
    to_parents.begin[parent] = out;
}

void to_log10(float* numbers, size_t size) {
    for (size_t i = 0; i < size; ++i) numbers[i] = std::log(numbers[i]) * 0.43429448190325182765f;
}

}  // namespace firth::ngram
