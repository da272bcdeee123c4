// Ingest: whatever the bytes and however they are cut, the same words come out, or the same byte is refused.
#include "../ingest.hpp"

#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "../words.hpp"
#include "check.hpp"

using firth::Encoded;
using firth::Ingest;
using firth::InvalidByte;

namespace {

using Random = std::mt19937_64;

struct Result {
    std::vector<std::vector<std::string>> sentences;
    std::optional<InvalidByte> invalid;

    bool operator==(const Result& other) const {
        if (sentences != other.sentences || invalid.has_value() != other.invalid.has_value()) return false;
        return !invalid || (invalid->line == other.invalid->line && invalid->column == other.invalid->column &&
                            invalid->byte == other.invalid->byte);
    }
};

// The words that were drained, by their provisional ids.
std::vector<std::string> by_id(const firth::SortedWords& words) {
    std::vector<std::string> all(words.ids.size());
    for (size_t i = 0; i < all.size(); ++i) {
        const uint64_t begin = i ? words.ends[i - 1] : 0;
        all[words.ids[i]] =
            std::string(words.text.begin() + ptrdiff_t(begin), words.text.begin() + ptrdiff_t(words.ends[i]));
    }
    return all;
}

// Ingests the text in pieces that end in newlines, after each line with the chance of 1 in `rarely`, and each
// alone in its memory.
Result ingest(const std::string& text, size_t rarely, Random& random) {
    Ingest ingest;
    Result result;
    std::vector<std::vector<uint32_t>> sentences;
    uint64_t lines = 0;
    for (size_t at = 0; at < text.size();) {
        size_t end = at;
        do end = std::min(text.find('\n', end), text.size() - 1) + 1;
        while (end < text.size() && random() % rarely);
        const Guarded<char> piece(std::vector<char>(text.begin() + ptrdiff_t(at), text.begin() + ptrdiff_t(end)));
        try {
            ingest.add_text(piece.data(), piece.size());
        } catch (InvalidByte invalid) {
            invalid.line += lines;
            result.invalid = invalid;
            return result;
        }
        const Encoded some = ingest.take();
        size_t word = 0;
        for (uint64_t stop : some.ends) {
            sentences.emplace_back(some.ids.begin() + ptrdiff_t(word), some.ids.begin() + ptrdiff_t(stop));
            word = stop;
        }
        if (word < some.ids.size()) sentences.emplace_back(some.ids.begin() + ptrdiff_t(word), some.ids.end());
        lines += some.ends.size();
        at = end;
    }
    const std::vector<std::string> words = by_id(ingest.drain());
    for (const auto& ids : sentences) {
        result.sentences.emplace_back();
        for (uint32_t id : ids) result.sentences.back().push_back(words[id]);
    }
    return result;
}

void append(std::string& text, uint32_t code) {
    const auto tail = [&](int shift) { text += char(0x80 | (code >> shift & 0x3f)); };
    if (code < 0x80) {
        text += char(code);
    } else if (code < 0x800) {
        text += char(0xc0 | code >> 6), tail(0);
    } else if (code < 0x10000) {
        text += char(0xe0 | code >> 12), tail(6), tail(0);
    } else {
        text += char(0xf0 | code >> 18), tail(12), tail(6), tail(0);
    }
}

// What str.isspace() of Python says, and str.split() follows.
const std::set<uint32_t> spaces = {0x09,   0x0a,   0x0b,   0x0c,   0x0d,   0x1c,   0x1d,   0x1e,   0x1f,   0x20,
                                   0x85,   0xa0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006,
                                   0x2007, 0x2008, 0x2009, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000};

uint32_t any_character(Random& random) {
    const uint32_t bounds[] = {0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff};
    const uint32_t kind = random() % 8;
    if (kind < 2) return 'a' + random() % 3;
    if (kind < 4) return *std::next(spaces.begin(), ptrdiff_t(random() % spaces.size()));
    if (kind == 4) return bounds[random() % 10];
    if (kind == 5) return '\n';
    const size_t range = random() % 5;
    return bounds[2 * range] + random() % (bounds[2 * range + 1] - bounds[2 * range] + 1);
}

struct Sample {
    std::string bytes;
    Result expected;
    uint64_t line = 1, column = 1;  // of what would come next
};

// Characters of all lengths, and the sentences that Python would find in them.
Sample valid_text(size_t characters, Random& random) {
    Sample sample;
    std::string word;
    auto& sentences = sample.expected.sentences;
    std::vector<std::string> sentence;
    const auto end_word = [&] {
        if (!word.empty()) sentence.push_back(std::exchange(word, {}));
    };
    for (size_t i = 0; i < characters; ++i) {
        const uint32_t code = any_character(random);
        const size_t before = sample.bytes.size();
        append(sample.bytes, code);
        sample.column += sample.bytes.size() - before;
        spaces.count(code) ? end_word() : append(word, code);
        if (code != '\n') continue;
        sentences.push_back(std::exchange(sentence, {}));
        ++sample.line, sample.column = 1;
    }
    end_word();
    if (!sentence.empty()) sentences.push_back(sentence);
    return sample;
}

void test_valid(Random& random) {
    for (int round = 0; round < 300; ++round) {
        const Sample sample = valid_text(random() % 300, random);
        for (size_t rarely : {1, 3, 1000}) CHECK(ingest(sample.bytes, rarely, random) == sample.expected);
    }
}

void test_invalid(Random& random) {
    const std::string wrong[] = {"\x80",
                                 "\xbf",
                                 "\xc0\xaf",
                                 "\xc1\xbf",
                                 "\xc3 ",
                                 "\xe0\x9f\xbf",
                                 "\xe9 ",
                                 "\xed\xa0\x80",
                                 "\xed\xbf\xbf",
                                 "\xef\xbf\n",
                                 "\xf0\x8f\xbf\xbf",
                                 "\xf4\x90\x80\x80",
                                 "\xf0\x9f\x98",
                                 "\xf5\x80",
                                 "\xfe",
                                 "\xff"};
    for (int round = 0; round < 300; ++round) {
        Sample sample = valid_text(random() % 100, random);
        const std::string& piece = wrong[random() % std::size(wrong)];
        sample.expected = {{}, InvalidByte{sample.line, sample.column, uint8_t(piece[0])}};
        sample.bytes += piece;
        if (random() % 2) sample.bytes += " and so on\n";
        for (size_t rarely : {1, 3, 1000}) CHECK(ingest(sample.bytes, rarely, random) == sample.expected);
    }
}

void test_any_bytes(Random& random) {
    for (int round = 0; round < 500; ++round) {
        std::string bytes(1 + random() % 40, 0);
        const uint32_t highest = round % 2 ? 256 : 0x90;  // mostly ASCII goes further before it is refused
        for (char& byte : bytes) byte = char(random() % highest);
        const Result whole = ingest(bytes, 1, random);
        for (size_t rarely : {3, 1000}) CHECK(ingest(bytes, rarely, random) == whole);
    }
}

// Words of up to three blocks of 64 bytes, in texts that end anywhere in a block.
void test_long_words(Random& random) {
    for (int round = 0; round < 300; ++round) {
        Sample sample;
        sample.expected.sentences.emplace_back();
        for (size_t words = 1 + random() % 5; words > 0; --words) {
            const std::string word(1 + random() % 192, char('a' + random() % 3));
            sample.bytes += word + ' ';
            sample.expected.sentences[0].push_back(word);
        }
        if (random() % 2) sample.bytes.pop_back();
        CHECK(ingest(sample.bytes, 1, random) == sample.expected);
    }
}

// So many that the table grows twice and, if they begin with the same letters, that some are told apart by nothing
// but their whole text.
void test_many_words(const std::string& beginning) {
    constexpr uint32_t distinct = 100'000;
    const auto word = [&](uint64_t i) { return beginning + std::to_string(i * 1234567); };
    std::string text;
    for (uint32_t i = 0; i < 2 * distinct; ++i) text += word(i % distinct) + ' ';
    Ingest ingest;
    for (int round = 0; round < 2; ++round) {
        ingest.add_text(text.data(), text.size());
        const std::vector<uint32_t> ids = ingest.take().ids;
        CHECK(ids.size() == 2 * distinct);
        for (uint32_t i = 0; i < ids.size(); ++i) CHECK(ids[i] == i % distinct);
        const firth::SortedWords words = ingest.drain();
        CHECK(words.counts == std::vector<int64_t>(distinct, 2));
        CHECK(by_id(words).back() == word(distinct - 1));
    }
}

std::string any_word(Random& random) {
    std::string word(1 + random() % 20, 0);
    for (char& byte : word) byte = "ab\0\xff"[random() % 4];
    return word;
}

firth::WordList list(const firth::SortedWords& words) {
    return {reinterpret_cast<const char*>(words.text.data()), words.ends.data(), words.ends.size()};
}

// Counts of some of the same words by several tables, merged, are those of a map.
void test_merge(Random& random) {
    for (int round = 0; round < 200; ++round) {
        std::vector<std::string> known(1 + random() % 50);
        for (std::string& word : known) word = any_word(random);
        std::map<std::string, int64_t> counts;
        std::vector<firth::SortedWords> tables;
        std::vector<firth::Merge::Run> runs;
        for (int number = 1 + int(random() % 4); number > 0; --number) {
            Ingest ingest;
            for (size_t i = random() % 100; i > 0; --i) {
                const std::string& word = known[std::min(random() % known.size(), random() % known.size())];
                ingest.add_word(word);
                ++counts[word];
            }
            tables.push_back(ingest.drain());
        }
        for (const auto& table : tables) runs.push_back({list(table), table.counts.data()});
        size_t entries = 0;
        for (const auto& table : tables) entries += table.ids.size();

        firth::Merge merge(runs);
        while (merge.survey(1 + random() % 20)) continue;
        CHECK(merge.words() == counts.size());
        const Guarded<char> text(merge.bytes());
        const Guarded<uint64_t> ends(merge.words());
        const Guarded<uint32_t> order(merge.words()), ranks(entries);
        const Guarded<int64_t> sums(merge.words());
        while (merge.place({text.data(), ends.data(), order.data(), sums.data(), ranks.data()}, 1 + random() % 20))
            continue;

        std::vector<std::pair<int64_t, std::string>> expected;
        for (const auto& [word, count] : counts) expected.emplace_back(-count, word);
        std::sort(expected.begin(), expected.end());
        const firth::WordList merged{text.data(), ends.data(), ends.size()};
        for (size_t rank = 0; rank < expected.size(); ++rank) {
            CHECK(merged[rank] == expected[rank].second);
            CHECK(sums.data()[rank] == -expected[rank].first);
        }
        auto word = counts.begin();
        for (uint32_t rank : order) CHECK(merged[rank] == (word++)->first);
        const uint32_t* rank = ranks.data();
        for (const auto& table : tables)
            for (size_t i = 0; i < table.ids.size(); ++i) CHECK(merged[*rank++] == list(table)[i]);
        CHECK(text.intact() && ends.intact() && order.intact() && sums.intact() && ranks.intact());
    }
}

}  // namespace

void test_ingest() {
    Random random(1);
    test("ingest: valid text in pieces", [&] { test_valid(random); });
    test("ingest: the first invalid byte in pieces", [&] { test_invalid(random); });
    test("ingest: any bytes in pieces", [&] { test_any_bytes(random); });
    test("ingest: long words", [&] { test_long_words(random); });
    test("ingest: more words than the first table holds", [] { test_many_words(""); });
    test("ingest: many words that begin alike", [] { test_many_words("beginning"); });
    test("words: tables merged are one table", [&] { test_merge(random); });
}
