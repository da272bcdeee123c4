// Counting: a stream of words becomes sorted n-grams, and these the levels of the tree.
#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "ngram.hpp"

namespace firth::ngram {

void stream(const Text& text, int64_t from, int64_t to, uint32_t* out) {
    while (from < to && from < 0) *out++ = start, ++from;
    // Sentence s begins in the stream at offsets[s] + 2s.
    uint64_t low = 0, high = text.sentences;
    while (low + 1 < high) {
        const uint64_t middle = (low + high) / 2;
        (int64_t(text.offsets[middle] + 2 * middle) <= from ? low : high) = middle;
    }
    for (uint64_t s = low; from < to; ++s) {
        const int64_t begin = int64_t(text.offsets[s] + 2 * s), end = int64_t(text.offsets[s + 1] + 2 * s + 1);
        if (from == begin) *out++ = start, ++from;
        for (; from < std::min(to, end); ++from) *out++ = text.table[text.ids[from - int64_t(2 * s) - 1]];
        if (from == end && from < to) *out++ = stop, ++from;
    }
}

namespace {

// Where in the piece the n-grams that end in `last` end, in the order in which they stand there.
std::vector<uint32_t> ends(const uint32_t* piece, size_t size, int order, Range last) {
    const auto counted = [&](uint32_t word) { return last.has(word) && word != start; };
    std::vector<uint32_t> positions;
    positions.reserve(size_t(std::count_if(piece + order - 1, piece + size, counted)));
    for (size_t p = size_t(order) - 1; p < size; ++p)
        if (counted(piece[p])) positions.push_back(uint32_t(p));
    return positions;
}

// Sorts by the words from the first to the last, each time keeping the order of equals. What stands before a <s>
// is of another sentence; that it has a say in the order among equal n-grams does no harm.
void sort(const uint32_t* piece, int order, uint32_t words, std::vector<uint32_t>& positions) {
    std::vector<uint32_t> other(positions.size()), places(size_t(words) + 1);
    for (int back = order - 1; back >= 0; --back) {
        std::fill(places.begin(), places.end(), 0);
        for (const uint32_t p : positions) ++places[piece[p - uint32_t(back)] + 1];
        std::partial_sum(places.begin(), places.end(), places.begin());
        for (const uint32_t p : positions) other[places[piece[p - uint32_t(back)]]++] = p;
        positions.swap(other);
    }
}

bool same(const uint32_t* a, const uint32_t* b, int order) {
    for (int back = 0; back < order; ++back) {
        if (a[-back] != b[-back]) return false;
        if (a[-back] == start) break;
    }
    return true;
}

}  // namespace

std::vector<uint32_t> sorted(const uint32_t* piece, size_t size, int order, Range last, uint32_t words) {
    std::vector<uint32_t> positions = ends(piece, size, order, last);
    sort(piece, order, words, positions);

    std::vector<uint32_t> records;
    records.reserve(positions.size() * size_t(order + 1));  // what is not written to takes no memory
    constexpr size_t ahead = 16;
    for (size_t i = 0; i < positions.size(); ++i) {
        if (i + ahead < positions.size()) __builtin_prefetch(piece + positions[i + ahead]);
        const uint32_t* at = piece + positions[i];
        if (i && same(at, piece + positions[i - 1], order)) {
            ++records.back();
            continue;
        }
        bool before = false;  // the sentence
        for (int back = 0; back < order; ++back) {
            records.push_back(before ? start : at[-back]);
            before |= at[-back] == start;
        }
        records.push_back(1);
    }
    return records;
}

namespace {

// Calls visit(words, common, length, count) for each distinct n-gram of all runs, in order: its words, how many
// of them the one before had, how many there are up to a <s>, and how often it occurs.
template <class Visit>
void merge(std::vector<Run> runs, int order, Visit visit) {
    const auto after = [order](const Run& a, const Run& b) {
        return std::lexicographical_compare(b.at, b.at + order, a.at, a.at + order);
    };
    std::erase_if(runs, [](const Run& run) { return run.at == run.end; });
    std::make_heap(runs.begin(), runs.end(), after);

    const uint32_t* previous = nullptr;
    while (!runs.empty()) {
        const uint32_t* words = runs.front().at;
        uint64_t count = 0;
        while (!runs.empty() && std::equal(words, words + order, runs.front().at)) {
            count += runs.front().at[order];
            if (runs.size() > 1) std::pop_heap(runs.begin(), runs.end(), after);
            runs.back().at += order + 1;
            if (runs.back().at == runs.back().end)
                runs.pop_back();
            else
                std::push_heap(runs.begin(), runs.end(), after);
        }
        int common = 0, length = 1;
        while (previous && previous[common] == words[common]) ++common;
        while (length < order && words[length - 1] != start) ++length;
        visit(words, common, length, count);
        previous = words;
    }
}

// Writes nodes as they begin, and closes them when the first n-gram without them comes.
class Filler {
  public:
    Filler(const Counting& counting, Range last, const std::vector<uint64_t>& first, const Levels& levels)
        : counting_(counting), levels_(levels), next_(first), open_(levels.size()), tallies_(levels.size()) {
        next_[0] = last.from;
        begin_words(last.from);
    }

    void operator()(const uint32_t* words, int common, int length, uint64_t count) {
        close(common);
        for (int k = common; k < length; ++k) begin(k, words[k]);
        for (int k = 0; k < length; ++k) open_[size_t(k)].occurrences += count;
        // An n-gram of full length, or one that nothing can precede, keeps its number of occurrences.
        if (counting_.adjusted) {
            open_[size_t(length) - 1].count = count;
            for (int k = std::max(common, 1); k < length; ++k) ++open_[size_t(k) - 1].count;
        }
    }

    std::vector<Tally> finish(Range last) {
        close(0);
        begin_words(last.to);
        return std::move(tallies_);
    }

  private:
    struct Node {
        uint64_t index, count, occurrences;
        bool foreign;  // holds a word that is not kept
    };

    void begin(int k, uint32_t word) {
        const bool foreign = word >= counting_.kept || (k && open_[size_t(k) - 1].foreign);
        if (k == 0) {
            begin_words(word + 1);
        } else {
            levels_[size_t(k)].left[next_[size_t(k)]] = word;
            if (levels_[size_t(k)].begin)
                levels_[size_t(k)].begin[next_[size_t(k)]] = uint32_t(next_[size_t(k) + 1]);
            ++next_[size_t(k)];
        }
        open_[size_t(k)] = {next_[size_t(k)] - 1, 0, 0, foreign};
        depth_ = k + 1;
    }

    // Words before `word` that have not begun: their children would begin here.
    void begin_words(uint32_t word) {
        for (; next_[0] < word; ++next_[0])
            if (levels_[0].begin) levels_[0].begin[next_[0]] = uint32_t(next_[1]);
    }

    void close(int common) {
        for (; depth_ > common; --depth_) {
            const size_t k = size_t(depth_) - 1;
            const Node& node = open_[k];
            const uint64_t count = counting_.adjusted ? node.count : node.occurrences;
            if (node.occurrences >= pruned) throw std::overflow_error("an n-gram occurs more than 2^31 times");
            const bool out = node.foreign || (k && node.occurrences <= counting_.prune[k]);
            levels_[k].count[node.index] = uint32_t(count) | (out ? pruned : 0);
            Tally& tally = tallies_[k];
            ++tally.size;
            tally.kept += !out;
            ++tally.of_count[std::min<uint64_t>(count, Tally::counts - 1)];
        }
    }

    const Counting& counting_;
    const Levels& levels_;
    std::vector<uint64_t> next_;  // the index of the node that begins next, by level
    std::vector<Node> open_;      // the nodes that lead to the last n-gram, from the root
    int depth_ = 0;               // how many they are
    std::vector<Tally> tallies_;
};

}  // namespace

std::vector<uint64_t> sizes(const std::vector<Run>& runs, int order) {
    std::vector<uint64_t> found(static_cast<size_t>(order));
    merge(runs, order, [&](const uint32_t*, int common, int length, uint64_t) {
        for (int k = common; k < length; ++k) ++found[size_t(k)];
    });
    return found;
}

std::vector<Tally> fill(const std::vector<Run>& runs, const Counting& counting, Range last,
                        const std::vector<uint64_t>& first, const Levels& levels) {
    Filler filler(counting, last, first, levels);
    merge(runs, int(levels.size()), [&](const uint32_t* words, int common, int length, uint64_t count) {
        filler(words, common, length, count);
    });
    return filler.finish(last);
}

}  // namespace firth::ngram
