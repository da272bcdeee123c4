// n-grams: in whatever pieces and shards they are counted, the levels hold what a map of all of them holds, and
// what is estimated from them sums to one.
#include "../ngram.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <random>

#include "../arpa.hpp"
#include "check.hpp"

namespace ngram = firth::ngram;

namespace {

using Random = std::mt19937_64;
using Gram = std::vector<uint32_t>;  // the last word first

constexpr uint32_t words = 12;

struct Sentences {
    std::vector<uint32_t> ids, table{3, 4, 5, 6, 7, 8, 9, 10, 11};
    std::vector<uint64_t> offsets{0};

    explicit Sentences(Random& random) {
        for (size_t count = 1 + random() % 40; count > 0; --count) {
            for (size_t size = random() % 9; size > 0; --size) ids.push_back(uint32_t(random() % table.size()));
            offsets.push_back(ids.size());
        }
    }
    ngram::Text text() const { return {ids.data(), offsets.data(), offsets.size() - 1, table.data()}; }
};

std::map<Gram, uint32_t> counted(const Sentences& sentences, size_t order) {
    std::map<Gram, uint32_t> found;
    for (size_t s = 0; s + 1 < sentences.offsets.size(); ++s) {
        Gram line{ngram::start};
        for (uint64_t i = sentences.offsets[s]; i < sentences.offsets[s + 1]; ++i)
            line.push_back(sentences.table[sentences.ids[i]]);
        line.push_back(ngram::stop);
        for (size_t end = 1; end < line.size(); ++end) {
            Gram gram;
            for (size_t back = 0; back <= end && back < order; ++back) {
                gram.push_back(line[end - back]);
                ++found[gram];
            }
        }
    }
    return found;
}

// The tree's arrays, each between pages that cannot be touched.
struct Tree {
    std::vector<std::unique_ptr<Guarded<uint32_t>>> integers;
    std::vector<std::unique_ptr<Guarded<float>>> floats;
    ngram::Levels levels;
    std::vector<ngram::Tally> tallies;

    uint32_t* integer(size_t size) {
        return integers.emplace_back(std::make_unique<Guarded<uint32_t>>(size))->data();
    }
    float* real(size_t size) { return floats.emplace_back(std::make_unique<Guarded<float>>(size))->data(); }

    Tree(const Sentences& sentences, int order, size_t piece, uint32_t cut, bool adjusted) {
        const ngram::Text text = sentences.text();
        const ngram::Range shards[] = {{0, cut}, {cut, words}};
        std::vector<uint32_t> records[2][64];
        std::vector<ngram::Run> runs[2];
        std::vector<uint64_t> sizes[2], first[2];
        for (int shard = 0; shard < 2; ++shard) {
            size_t number = 0;
            for (uint64_t at = 0; at < text.size(); at += piece) {
                const size_t lead = size_t(order) - 1;
                Guarded<uint32_t> tokens(std::min<uint64_t>(piece, text.size() - at) + lead);
                const int64_t from = int64_t(at) - int64_t(lead);
                ngram::stream(text, from, from + int64_t(tokens.size()), tokens.data());
                auto& found = records[shard][number++] =
                    ngram::sorted(tokens.data(), tokens.size(), order, shards[shard], words);
                runs[shard].push_back({found.data(), found.data() + found.size()});
            }
            sizes[shard] = ngram::sizes(runs[shard], order);
            sizes[shard][0] = shards[shard].to - shards[shard].from;
        }
        first[0].assign(size_t(order), 0);
        first[1] = sizes[0];
        for (size_t k = 0; k < size_t(order); ++k) {
            const uint64_t size = sizes[0][k] + sizes[1][k];
            const bool inner = k + 1 < size_t(order);
            levels.push_back({size, k ? integer(size) : nullptr, inner ? integer(size + 1) : nullptr,
                              integer(size), real(size), inner ? real(size) : nullptr});
        }
        const ngram::Counting counting{adjusted, std::vector<uint32_t>(size_t(order), 0), words};
        for (int shard : {1, 0}) tallies = ngram::fill(runs[shard], counting, shards[shard], first[shard], levels);
        for (size_t k = 0; k + 1 < levels.size(); ++k)
            levels[k].begin[levels[k].size] = uint32_t(levels[k + 1].size);
    }

    // Calls visit(gram, index) for every n-gram below a node.
    template <class Visit>
    void each(Gram gram, uint32_t node, Visit visit) const {
        const size_t k = gram.size();
        visit(gram, node);
        if (k == levels.size()) return;
        gram.push_back(0);
        for (uint32_t i = levels[k - 1].begin[node]; i < levels[k - 1].begin[node + 1]; ++i) {
            gram.back() = levels[k].left[i];
            each(gram, i, visit);
        }
    }
};

void test_counts(Random& random) {
    for (int round = 0; round < 200; ++round) {
        const Sentences sentences(random);
        const int order = 1 + int(random() % 5);
        const std::map<Gram, uint32_t> expected = counted(sentences, size_t(order));
        const Tree tree(sentences, order, 10 + random() % 1000, 1 + uint32_t(random() % (words - 1)), false);
        std::map<Gram, uint32_t> found;
        for (uint32_t word = 0; word < words; ++word)
            tree.each({word}, word, [&](const Gram& gram, uint32_t node) {
                if (const uint32_t count = tree.levels[gram.size() - 1].count[node]) found[gram] = count;
            });
        CHECK(found == expected);
        for (const auto& integers : tree.integers) CHECK(integers->intact());
    }
}

void test_estimates(Random& random) {
    const ngram::Combine kinds[] = {ngram::Combine::interpolate, ngram::Combine::back_off, ngram::Combine::alone};
    for (int round = 0; round < 100; ++round) {
        const Sentences sentences(random);
        const int order = 2 + int(random() % 4);
        const uint32_t cut = 1 + uint32_t(random() % (words - 1));
        const ngram::Smoothing smoothing{kinds[round % 3], {0, 0.5}, 0.1, 0.5, words - 1};
        Tree tree(sentences, order, 10 + random() % 1000, cut, round % 2);
        for (uint32_t word = 0; word < words; ++word) tree.levels[0].prob[word] = 1.0f / (words - 1);
        std::vector<std::unique_ptr<Guarded<uint32_t>>> histories;
        const uint32_t* last = nullptr;
        for (int k = 2; k <= order; ++k) {
            auto& here =
                *histories.emplace_back(std::make_unique<Guarded<uint32_t>>(tree.levels[size_t(k) - 1].size));
            for (const ngram::Range range : {ngram::Range{cut, words}, ngram::Range{0, cut}})
                ngram::estimate(tree.levels, k, range, smoothing, {last, here.data()});
            last = here.data();
        }
        for (const ngram::Level& level : tree.levels) {
            ngram::to_log10(level.prob, level.size);
            if (level.backoff) ngram::to_log10(level.backoff, level.size);
        }
        const ngram::Model model{tree.levels, smoothing.combine == ngram::Combine::alone,
                                 -std::log10(float(words - 1))};
        ngram::State state(order), next = state;
        for (int step = 0; step < 8; ++step) {
            double sum = 0;
            for (uint32_t word = 0; word < words; ++word)
                if (word != ngram::start) sum += std::pow(10.0, ngram::score(model, state, word, nullptr).log10);
            CHECK(std::abs(sum - 1) < 1e-4);
            ngram::score(model, state, step ? 3 + uint32_t(random() % 9) : ngram::start, &next);
            std::swap(state, next);
        }
        const std::string text(words, 'w');
        std::vector<uint64_t> ends;
        for (uint64_t word = 1; word <= words; ++word) ends.push_back(word);
        const uint64_t size = tree.levels.back().size;
        const std::string lines = ngram::arpa_lines(tree.levels, order, 0, size, {text.data(), ends.data()});
        CHECK(uint64_t(std::count(lines.begin(), lines.end(), '\n')) == size);
    }
}

}  // namespace

void test_ngrams() {
    Random random(1);
    test("n-grams: counted in any pieces and shards", [&] { test_counts(random); });
    test("n-grams: what is estimated sums to one", [&] { test_estimates(random); });
}
