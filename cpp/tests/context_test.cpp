// Gathering: the words that survive around a block, and no look at text that nobody needs.
#include <algorithm>
#include <random>
#include <vector>

#include "../task.hpp"
#include "check.hpp"

#define FIRTH_ISA plain
#define FIRTH_BYTES 16
#include "../context.hpp"

using namespace firth;

namespace {

constexpr uint32_t unknown = 0xffffffff, everything = 0xffffffff;

using Ids = std::vector<uint32_t>;

struct Gathered {
    Ids before, within, after;
    bool operator==(const Gathered&) const = default;
};

Gathered gathered(const uint32_t* ids, int window, uint64_t sentence, uint64_t begin, uint64_t end,
                  uint64_t sentence_end) {
    const uint32_t keep[] = {everything, everything, everything};
    const Text text{ids, nullptr, 0, 0, uint32_t(std::size(keep)), keep};
    Guarded<uint32_t> room(end - begin + 2 * uint64_t(window));
    plain::Stretch stretch{room.data(), nullptr, nullptr, 0, 0, 0, 0, 0};
    plain::gather(text, 1, window, sentence, begin, end, sentence_end, stretch);
    CHECK(room.intact());
    uint32_t *from = stretch.ids + stretch.begin, *to = stretch.ids + stretch.end;
    return {Ids(stretch.ids, from), Ids(from, to), Ids(to, stretch.ids + stretch.size)};
}

void test_any_block() {
    std::mt19937_64 random(1);
    for (int round = 0; round < 2'000; ++round) {
        Ids ids(1 + random() % 40);
        for (uint32_t& id : ids) id = random() % 2 ? unknown : uint32_t(random() % 3);
        uint64_t cuts[] = {random() % ids.size(), random() % ids.size(), random() % ids.size(), ids.size()};
        std::sort(std::begin(cuts), std::end(cuts));
        const auto [sentence, begin, end, sentence_end] = cuts;
        const auto known = [&](uint64_t from, uint64_t to) {
            Ids found;
            std::copy_if(&ids[0] + from, &ids[0] + to, std::back_inserter(found),
                         [](uint32_t id) { return id != unknown; });
            return found;
        };
        const size_t window = 1 + random() % 6;
        Gathered expected{known(sentence, begin), known(begin, end), known(end, sentence_end)};
        if (expected.within.empty()) expected = {};
        const size_t far = expected.before.size() - std::min(expected.before.size(), window);
        expected.before.erase(expected.before.begin(), expected.before.begin() + ptrdiff_t(far));
        if (expected.after.size() > window) expected.after.resize(window);
        CHECK(gathered(ids.data(), int(window), sentence, begin, end, sentence_end) == expected);
    }
}

// Else a line of ten million unknown words would cost the square of its length. What lies around the block here
// cannot be touched.
void test_unknown_words() {
    constexpr uint64_t begin = 1'000'000, end = begin + tokens_of_a_block(0, false);
    const Guarded<uint32_t> block(end - begin, unknown);
    CHECK(gathered(block.data() - begin, 5, 0, begin, end, 2 * end) == Gathered{});
}

}  // namespace

void test_context() {
    test("context: the survivors around any block", test_any_block);
    test("context: none is sought for unknown words", test_unknown_words);
}
