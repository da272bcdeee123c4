// Lists of distinct words: put in the order of their bytes, sought in one another, merged.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <queue>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace firth {

constexpr uint32_t kNoWord = UINT32_MAX;

// Words in memory that belongs to others: their text one after another, and the end of each in it.
struct WordList {
    const char* text;
    const uint64_t* ends;
    size_t size;

    std::string_view operator[](size_t position) const {
        const uint64_t begin = position ? ends[position - 1] : 0;
        return {text + begin, ends[position] - begin};
    }
};

// Eight bytes as a number, the first of them lowest.
inline uint64_t eight(const char* bytes) {
    uint64_t number;
    std::memcpy(&number, bytes, 8);
    return std::endian::native == std::endian::big ? __builtin_bswap64(number) : number;
}

// The first eight bytes as a number, the first highest: where two words differ in it, it orders them as their
// bytes do.
inline uint64_t beginning(std::string_view word) {
    if (word.size() >= 8) return __builtin_bswap64(eight(word.data()));
    uint64_t number = 0;
    for (size_t i = 0; i < word.size(); ++i) number |= uint64_t{static_cast<uint8_t>(word[i])} << (56 - 8 * i);
    return number;
}

struct Beginning {
    uint64_t number;
    uint32_t position;  // of the word
};

// By their numbers, those that are equal in the order in which they come: a pass over all for each byte.
void sort_beginnings(std::vector<Beginning>& beginnings);

// The positions of `size` words, sorted by the words' bytes.
template <class WordAt>
std::vector<uint32_t> order_by_bytes(size_t size, WordAt word_at) {
    std::vector<Beginning> words(size);
    for (uint32_t i = 0; i < size; ++i) words[i] = {beginning(word_at(i)), i};
    sort_beginnings(words);
    for (auto same = words.begin(); same != words.end();) {
        const auto end =
            std::find_if(same, words.end(), [&](const Beginning& each) { return each.number != same->number; });
        std::sort(same, end, [&](const Beginning& a, const Beginning& b) {
            return word_at(a.position) < word_at(b.position);
        });
        same = end;
    }
    std::vector<uint32_t> order(size);
    std::transform(words.begin(), words.end(), order.begin(), [](const Beginning& each) { return each.position; });
    return order;
}

// The position in `words` of each of `wanted`, kNoWord for none; the orders are those by bytes.
std::vector<uint32_t> find_all(const WordList& words, const uint32_t* order, const WordList& wanted,
                               const uint32_t* wanted_order);

// Each id becomes its entry in the table; throws std::invalid_argument, before it has begun, for one without.
void renumber(uint32_t* ids, size_t size, const uint32_t* table, size_t entries);

// Counted lists, each sorted by bytes, become one that is ranked: by falling count, ties by bytes.
//
// Everything is read and written from front to back, or at as many places as there are different counts, so the
// lists and the result may lie in mapped files larger than memory. Two passes: `survey` learns how many words
// there are of each count, `place` puts them where they belong. Each does a limited number of words at a time and
// says whether there are more.
class Merge {
  public:
    struct Run {
        WordList words;
        const int64_t* counts;
    };
    struct Result {
        char* text;       // `bytes()` of them: the words by rank, one after another
        uint64_t* ends;   // the end of each in it
        uint32_t* order;  // the ranks of the words sorted by their bytes
        int64_t* counts;  // by rank
        uint32_t* ranks;  // of the words of all runs, one run after another
    };

    explicit Merge(std::vector<Run> runs);
    Merge(const Merge&) = delete;  // what waits is compared where it lies
    bool survey(size_t most);
    bool place(const Result& result, size_t most);
    uint64_t words() const { return words_; }
    uint64_t bytes() const { return bytes_; }

  private:
    struct Head {  // the next word of a run
        uint64_t beginning;
        std::string_view word;
    };
    struct After {  // whether one run's head comes after another's
        const Head* heads;
        bool operator()(uint32_t a, uint32_t b) const;
    };
    struct Class {  // the words of one count
        uint64_t words = 0, bytes = 0;
    };

    // Has the system read what comes next in mapped files: it cannot foresee so many places at once.
    void read_ahead() const;
    void rewind();
    void push(uint32_t run);
    int64_t next(std::string_view& word);
    void end_survey();

    std::vector<Run> runs_;
    std::vector<uint64_t> begins_;                                         // of each run among the words of all
    std::vector<uint64_t> at_;                                             // the position of its next word
    std::vector<Head> heads_;                                              // of each run
    std::priority_queue<uint32_t, std::vector<uint32_t>, After> waiting_;  // the run of the least head on top
    std::vector<uint32_t> holders_;  // the runs that hold the word that `next` gave
    std::unordered_map<int64_t, Class> classes_;
    uint64_t words_ = 0, bytes_ = 0, placed_ = 0;
};

}  // namespace firth
