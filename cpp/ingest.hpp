// Text to integers, once: words are counted and encoded as they stream by.
//
// Ids are provisional, in the order in which words are first seen. `drain()` gives the words and begins anew: when
// all is read, or when the words fill the memory that they may have. Whoever stored the ids translates them when
// the ranks of the words by frequency are known (words.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace firth {

// Words sorted by their bytes, with their counts and provisional ids.
struct SortedWords {
    std::vector<uint8_t> text;   // the words one after another
    std::vector<uint64_t> ends;  // the end of each in it
    std::vector<int64_t> counts;
    std::vector<uint32_t> ids;
};

// Distinct words in the order of their first sight, with their counts.
class WordTable {
  public:
    WordTable();

    struct Sought {
        std::string_view word;
        uint64_t key;
        uint32_t hash;
    };
    // A word to be counted soon, whose slot is fetched from memory. So many bytes from its first on may be read.
    // (Inline, like `count`: what one call has just stored piece by piece another cannot load whole without
    // waiting.)
    inline Sought seek(std::string_view word, size_t readable) const;

    // The id of the word, which is counted once more.
    inline uint32_t count(const Sought& sought);

    SortedWords drain() &&;
    size_t memory() const;  // bytes, those that `drain` needs besides among them

  private:
    // Words of at most seven bytes, most of a text, are all in their slot, and no other memory has to be seen.
    struct Slot {
        uint64_t key;
        uint32_t hash;
        uint32_t entry;  // 0: empty
    };

    struct Entry {
        uint64_t end;  // of the word in text_
        int64_t count;
    };

    std::string_view word(size_t entry) const;
    uint32_t insert(const Sought& sought, Slot* slot);
    void grow();

    std::vector<Slot> slots_;     // a power of two, at most half full, probed linearly
    std::vector<Entry> entries_;  // the first stands for no word; the id of entry n is n - 1
    std::vector<char> text_;
    size_t mask_;
};

// What a piece of text became.
struct Encoded {
    std::vector<uint32_t> ids;   // a provisional id for each word
    std::vector<uint64_t> ends;  // for each sentence that ended: how many words of the piece came before
};

// Thrown for a byte that cannot stand where it stands in UTF-8. Line and column (in bytes) count from 1.
struct InvalidByte {
    uint64_t line;
    uint64_t column;
    uint8_t byte;
};

// Lines become sentences, and what stands between white space (as Python's str.split sees it) words.
class Ingest {
  public:
    // A piece of text in UTF-8; words do not reach over its end, lines may. Throws InvalidByte, after which this
    // object is of no further use.
    void add_text(const char* data, size_t size);

    // A word given as such, whatever it holds, and the end of a sentence of such words.
    void add_word(std::string_view word);
    void end_sentence() { encoded_.ends.push_back(encoded_.ids.size()); }

    // What has become of all that was given since the last call.
    Encoded take();

    // The words of all that was given since the last call; ids begin anew.
    SortedWords drain();

    // The bytes that the words take, and that `drain` needs besides.
    size_t memory() const { return table_.memory(); }

  private:
    WordTable table_;
    Encoded encoded_;
};

}  // namespace firth
