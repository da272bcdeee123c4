// Text to integers, once: words are counted and encoded as they stream by.
//
// Ids are provisional, in the order in which words are first seen; when all is read, `vocabulary()` gives the
// rank of each by frequency, to which the caller maps the ids that it stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace firth {

// Distinct words in the order of their first sight, with their counts.
class WordTable {
  public:
    WordTable();

    // The id of the word, which is counted once more.
    uint32_t count(std::string_view word);

    size_t size() const { return entries_.size() - 1; }
    std::string_view word(size_t id) const;
    int64_t occurrences(size_t id) const { return entries_[id + 1].count; }

  private:
    struct Slot {
        uint32_t hash;
        uint32_t entry;  // 0: empty
    };
    struct Entry {
        uint64_t end;  // of its text in text_; it begins where the entry before ends
        int64_t count;
    };

    uint32_t insert(std::string_view word, uint32_t hash, Slot* slot);
    void grow();

    std::vector<Slot> slots_;     // a power of two, at most half full, probed linearly
    std::vector<Entry> entries_;  // entry 0 stands for no word
    std::string text_;
    size_t mask_;
};

// What a piece of text became.
struct Encoded {
    std::vector<uint32_t> ids;   // a provisional id for each word
    std::vector<uint64_t> ends;  // for each sentence that ended: how many words came before, in all
};

// All words by falling count, ties by their bytes.
struct Ranking {
    std::string text;             // the words one after another
    std::vector<uint64_t> ends;   // the end of each in it
    std::vector<uint32_t> order;  // the ranks of the words sorted by their bytes
    std::vector<int64_t> counts;  // by rank
    std::vector<uint32_t> ranks;  // by provisional id
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
    // Any piece of a text in UTF-8; it may end inside a word or a character. A byte order mark at the start
    // of a text is skipped. Throws InvalidByte, after which this object is of no further use.
    void feed(const char* data, size_t size);

    // The end of a text, and of its last line if no newline ended it.
    void end_text();

    // A word given as such, whatever it holds, and the end of a sentence of such words.
    void add_word(std::string_view word);
    void end_sentence() { encoded_.ends.push_back(words_); }

    // What has become of all that was given since the last call.
    Encoded take();

    Ranking vocabulary() const;

  private:
    const char* scan(const char* position, const char* end);
    const char* scan_multibyte(const char* position, const char* end);
    void end_word(const char* position);
    void end_line(const char* next);
    [[noreturn]] void reject(const char* position) const;
    uint64_t offset(const char* position) const { return base_ + (position - buffer_.data()); }

    WordTable table_;
    Encoded encoded_;
    uint64_t words_ = 0;

    std::string buffer_;          // the unfinished word, then what was fed
    const char* word_ = nullptr;  // start of the current word in the buffer
    size_t scanned_ = 0;          // bytes of the unfinished word that need no second look
    uint64_t base_ = 0;           // offset of the buffer in the text
    uint64_t line_start_ = 0;     // offset of the current line in the text
    uint64_t line_ = 1;
};

}  // namespace firth
