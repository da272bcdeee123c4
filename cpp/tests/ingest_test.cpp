// Ingest: whatever the bytes and however they are cut, the same words come out, or the same byte is refused.
#include "../ingest.hpp"

#include <optional>
#include <random>
#include <set>
#include <utility>

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

// The ranks of the words, and the words themselves, as the vocabulary gives them.
struct Words {
    firth::Ranking ranking;

    explicit Words(const Ingest& ingest) : ranking(ingest.vocabulary()) {}

    std::string of(uint32_t id) const {
        const uint32_t rank = ranking.ranks[id];
        const uint64_t begin = rank ? ranking.ends[rank - 1] : 0;
        return ranking.text.substr(begin, ranking.ends[rank] - begin);
    }
};

// Feeds the text in pieces of 1 to `longest` bytes, each alone in its memory.
Result ingest(const std::string& text, size_t longest, Random& random) {
    Ingest ingest;
    Encoded all;
    Result result;
    const auto take = [&] {
        const Encoded some = ingest.take();
        all.ids.insert(all.ids.end(), some.ids.begin(), some.ids.end());
        all.ends.insert(all.ends.end(), some.ends.begin(), some.ends.end());
    };
    try {
        for (size_t at = 0; at < text.size();) {
            const size_t size = std::min(text.size() - at, size_t(1 + random() % longest));
            const std::vector<char> piece(text.begin() + ptrdiff_t(at), text.begin() + ptrdiff_t(at + size));
            ingest.feed(piece.data(), piece.size());
            if (random() % 2) take();
            at += size;
        }
        ingest.end_text();
    } catch (const InvalidByte& invalid) {
        result.invalid = invalid;
        return result;
    }
    take();
    const Words words(ingest);
    size_t word = 0;
    for (uint64_t end : all.ends) {
        result.sentences.emplace_back();
        for (; word < end; ++word) result.sentences.back().push_back(words.of(all.ids[word]));
    }
    CHECK(word == all.ids.size());
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

constexpr uint32_t byte_order_mark = 0xfeff;

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
    bool open = false;  // whether the last line holds anything
    auto& sentences = sample.expected.sentences;
    std::vector<std::string> sentence;
    const auto end_word = [&] {
        if (!word.empty()) sentence.push_back(std::exchange(word, {}));
    };
    for (size_t i = 0; i < characters; ++i) {
        const bool mark = i == 0 && random() % 4 == 0;
        const uint32_t code = mark ? byte_order_mark : any_character(random);
        const size_t before = sample.bytes.size();
        append(sample.bytes, code);
        if (i == 0 && code == byte_order_mark) continue;  // it is no part of the text
        sample.column += sample.bytes.size() - before;
        open = code != '\n';
        spaces.count(code) ? end_word() : append(word, code);
        if (open) continue;
        sentences.push_back(std::exchange(sentence, {}));
        ++sample.line, sample.column = 1;
    }
    end_word();
    if (open) sentences.push_back(sentence);
    return sample;
}

void test_valid(Random& random) {
    for (int round = 0; round < 300; ++round) {
        const Sample sample = valid_text(random() % 300, random);
        for (size_t longest : {size_t(1), size_t(7), sample.bytes.size() + 1})
            CHECK(ingest(sample.bytes, longest, random) == sample.expected);
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
        for (size_t longest : {size_t(1), size_t(5), sample.bytes.size()})
            CHECK(ingest(sample.bytes, longest, random) == sample.expected);
    }
}

void test_any_bytes(Random& random) {
    for (int round = 0; round < 500; ++round) {
        std::string bytes(1 + random() % 40, 0);
        const uint32_t highest = round % 2 ? 256 : 0x90;  // mostly ASCII goes further before it is refused
        for (char& byte : bytes) byte = char(random() % highest);
        const Result whole = ingest(bytes, 1, random);
        for (size_t longest : {3, 50}) CHECK(ingest(bytes, longest, random) == whole);
    }
}

void test_many_words() {
    constexpr uint32_t distinct = 100'000;  // the table of words grows twice
    std::string text;
    for (uint32_t i = 0; i < 2 * distinct; ++i) text += std::to_string(uint64_t(i % distinct) * 1234567) + ' ';
    Ingest ingest;
    ingest.feed(text.data(), text.size());
    ingest.end_text();
    const std::vector<uint32_t> ids = ingest.take().ids;
    CHECK(ids.size() == 2 * distinct);
    for (uint32_t i = 0; i < ids.size(); ++i) CHECK(ids[i] == i % distinct);
    const Words words(ingest);
    CHECK(words.ranking.counts == std::vector<int64_t>(distinct, 2));
    CHECK(words.of(distinct - 1) == std::to_string(uint64_t(distinct - 1) * 1234567));
}

}  // namespace

void test_ingest() {
    Random random(1);
    test("ingest: valid text in any pieces", [&] { test_valid(random); });
    test("ingest: the first invalid byte in any pieces", [&] { test_invalid(random); });
    test("ingest: any bytes in any pieces", [&] { test_any_bytes(random); });
    test("ingest: more words than the first table holds", [] { test_many_words(); });
}
