// Lists of distinct words: put in the order of their bytes, sought in one another, merged.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

// The first eight bytes as a number: where two words differ in it, it orders them as their bytes do.
inline uint64_t beginning(std::string_view word) {
    uint8_t bytes[8] = {};
    std::copy_n(word.data(), std::min<size_t>(word.size(), 8), bytes);
    uint64_t number = 0;
    for (uint8_t byte : bytes) number = number << 8 | byte;
    return number;
}

// The positions of `size` words, sorted by the words' bytes.
template <class WordAt>
std::vector<uint32_t> order_by_bytes(size_t size, WordAt word_at) {
    struct Key {
        uint64_t beginning;
        uint32_t position;
    };
    std::vector<Key> keys(size);
    for (uint32_t i = 0; i < size; ++i) keys[i] = {beginning(word_at(i)), i};
    std::sort(keys.begin(), keys.end(), [&](const Key& a, const Key& b) {
        if (a.beginning != b.beginning) return a.beginning < b.beginning;
        return word_at(a.position) < word_at(b.position);
    });
    std::vector<uint32_t> order(size);
    std::transform(keys.begin(), keys.end(), order.begin(), [](const Key& key) { return key.position; });
    return order;
}

// The position in `words` of each of `wanted`, kNoWord for none; the orders are those by bytes.
std::vector<uint32_t> find_all(const WordList& words, const uint32_t* order, const WordList& wanted,
                               const uint32_t* wanted_order);

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
    bool survey(size_t most);
    bool place(const Result& result, size_t most);
    uint64_t words() const { return words_; }
    uint64_t bytes() const { return bytes_; }

  private:
    struct Head {  // the next word of a run
        uint64_t beginning;
        std::string_view word;
        uint32_t run;
    };
    struct Class {  // the words of one count
        uint64_t words = 0, bytes = 0;
    };

    // Has the system read what comes next in mapped files: it cannot foresee so many places at once.
    void read_ahead() const;
    static bool after(const Head& a, const Head& b);
    void rewind();
    void push(uint32_t run);
    int64_t next(std::string_view& word);
    void end_survey();

    std::vector<Run> runs_;
    std::vector<uint64_t> begins_;   // of each run among the words of all
    std::vector<uint64_t> at_;       // the position of its next word
    std::vector<Head> heads_;        // a heap, the least word on top
    std::vector<uint32_t> holders_;  // the runs that hold the word that `next` gave
    std::unordered_map<int64_t, Class> classes_;
    uint64_t words_ = 0, bytes_ = 0, placed_ = 0;
};

}  // namespace firth
