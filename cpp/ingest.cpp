#include "ingest.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "words.hpp"

namespace firth {
namespace {

enum Kind : uint8_t { kWord, kSpace, kNewline, kMultibyte };

constexpr std::array<Kind, 256> kinds() {
    std::array<Kind, 256> kinds{};
    for (uint8_t byte : std::array<uint8_t, 9>{'\t', '\v', '\f', '\r', 0x1c, 0x1d, 0x1e, 0x1f, ' '})
        kinds[byte] = kSpace;
    kinds['\n'] = kNewline;
    for (int byte = 0x80; byte < 0x100; ++byte) kinds[byte] = kMultibyte;
    return kinds;
}

constexpr std::array<Kind, 256> kKinds = kinds();

bool is_space(uint32_t character) {
    switch (character) {
        case 0x85:
        case 0xa0:
        case 0x1680:
        case 0x2028:
        case 0x2029:
        case 0x202f:
        case 0x205f:
        case 0x3000:
            return true;
        default:
            return character >= 0x2000 && character <= 0x200a;
    }
}

struct Character {
    uint32_t code;
    int size;  // 0: invalid
};

// A character of two to four bytes, strictly: nothing overlong, no surrogates, nothing beyond U+10FFFF.
Character decode(const char* position, const char* end) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(position);
    const uint8_t lead = bytes[0];
    const int size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4) return {0, 0};
    uint32_t code = lead & (0x7f >> size);
    for (int i = 1; i < size; ++i) {
        if (position + i == end || (bytes[i] & 0xc0) != 0x80) return {0, 0};
        code = code << 6 | (bytes[i] & 0x3f);
    }
    const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return {code, overlong || surrogate || code > 0x10ffff ? 0 : size};
}

uint64_t mix(uint64_t a, uint64_t b) {
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

constexpr size_t kBlock = 64;

// A bit for each of 64 bytes that may be more than a letter of ASCII: white space, control characters, and
// whatever is not ASCII.
uint64_t find_others(const char* block) {
    constexpr uint64_t kOnes = 0x0101010101010101, kHigh = 0x80 * kOnes;
    uint64_t found = 0;
    for (size_t i = 0; i < kBlock; i += 8) {
        const uint64_t bytes = eight(block + i), letters = (bytes | kHigh) - 0x21 * kOnes;  // in their high bits
        found |= ((~letters | bytes) & kHigh) * 0x0002040810204081 >> 56 << i;  // the bits side by side
    }
    return found;
}

// The same of fewer bytes.
uint64_t find_others(const char* bytes, size_t size) {
    if (size >= kBlock) return find_others(bytes);
    std::array<char, kBlock> block;
    block.fill('a');
    std::copy_n(bytes, size, block.begin());
    return find_others(block.data());
}

InvalidByte invalid_byte(const char* text, const char* position) {
    const std::string_view before(text, static_cast<size_t>(position - text));
    const auto newlines = static_cast<uint64_t>(std::count(before.begin(), before.end(), '\n'));
    const size_t line = before.rfind('\n') + 1;  // its begin; npos + 1 is 0
    return {newlines + 1, before.size() - line + 1, static_cast<uint8_t>(*position)};
}

constexpr uint64_t kLong = uint64_t{0xff} << 56;

}  // namespace

WordTable::WordTable() : slots_(1 << 16), entries_(1), mask_((1 << 16) - 1) {}

std::string_view WordTable::word(size_t entry) const {
    const uint64_t begin = entries_[entry - 1].end;
    return {text_.data() + begin, entries_[entry].end - begin};
}

// The key is the word's first seven bytes, and above them its size or, if it is longer, kLong. The hash is of the
// whole word, well mixed, and the same in every process.
WordTable::Sought WordTable::seek(std::string_view word, size_t readable) const {
    constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
    const size_t size = word.size();
    std::array<char, 8> few{};
    if (readable < 8) std::copy(word.begin(), word.end(), few.begin());
    const uint64_t first = eight(readable < 8 ? few.data() : word.data());
    const int unused = 64 - 8 * static_cast<int>(std::min<size_t>(size, 7));
    const uint64_t key = first << unused >> unused | (size > 7 ? kLong : uint64_t{size} << 56);
    uint64_t state = mix(key, kOdd);
    if (size > 7)
        for (size_t at = 7;; at += 8) {
            state = mix(state ^ eight(word.data() + std::min(at, size - 8)), kOdd + size);
            if (at + 8 >= size) break;
        }
    const auto hash = static_cast<uint32_t>(state ^ state >> 32);
    __builtin_prefetch(&slots_[hash & mask_], 1);
    return {word, key, hash};
}

uint32_t WordTable::count(const Sought& sought) {
    const auto& [word, key, hash] = sought;
    for (size_t at = hash;; ++at) {
        Slot& slot = slots_[at & mask_];
        if (slot.entry == 0) return insert(sought, &slot);
        if (slot.key == key && (key < kLong || (slot.hash == hash && this->word(slot.entry) == word))) {
            ++entries_[slot.entry].count;
            return slot.entry - 1;
        }
    }
}

uint32_t WordTable::insert(const Sought& sought, Slot* slot) {
    const size_t entry = entries_.size();
    if (entry == UINT32_MAX) throw std::length_error("more than 4,294,967,294 distinct words");
    text_.insert(text_.end(), sought.word.begin(), sought.word.end());
    entries_.push_back({text_.size(), 1});
    *slot = {sought.key, sought.hash, static_cast<uint32_t>(entry)};
    if (2 * entry > mask_) grow();
    return static_cast<uint32_t>(entry - 1);
}

void WordTable::grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    mask_ = slots_.size() - 1;
    for (const Slot& slot : old) {
        if (slot.entry == 0) continue;
        size_t at = slot.hash & mask_;
        while (slots_[at].entry != 0) at = (at + 1) & mask_;
        slots_[at] = slot;
    }
}

size_t WordTable::memory() const {
    // The slots go before the words are sorted.
    constexpr size_t kSorted = 2 * sizeof(Beginning) + sizeof(uint32_t) + sizeof(uint64_t) + sizeof(int64_t);
    const size_t drained = entries_.size() * kSorted + text_.size();
    return entries_.capacity() * sizeof(Entry) + text_.capacity() +
           std::max(slots_.size() * sizeof(Slot), drained);
}

SortedWords WordTable::drain() && {
    slots_ = {};
    SortedWords sorted;
    sorted.ids = order_by_bytes(entries_.size() - 1, [this](uint32_t id) { return word(id + 1); });
    sorted.text.reserve(text_.size());
    sorted.ends.reserve(sorted.ids.size());
    sorted.counts.reserve(sorted.ids.size());
    for (uint32_t id : sorted.ids) {
        const std::string_view next = word(id + 1);
        sorted.text.insert(sorted.text.end(), next.begin(), next.end());
        sorted.ends.push_back(sorted.text.size());
        sorted.counts.push_back(entries_[id + 1].count);
    }
    return sorted;
}

void Ingest::add_word(std::string_view word) {
    encoded_.ids.push_back(table_.count(table_.seek(word, word.size())));
}

void Ingest::add_text(const char* data, size_t size) {
    const char *const end = data + size, *word = data, *next = data;  // where this word and character begin
    std::vector<uint32_t>& ids = encoded_.ids;
    std::array<WordTable::Sought, 32> sought;  // so many at a time, that their slots come from memory together
    size_t waiting = 0;
    const auto count = [&] {
        ids.resize(ids.size() + waiting);
        std::transform(sought.begin(), sought.begin() + waiting, ids.end() - waiting,
                       [&](const WordTable::Sought& each) { return table_.count(each); });
        waiting = 0;
    };
    const auto end_word = [&](const char* position, size_t space) {
        const auto size = static_cast<size_t>(position - word), readable = static_cast<size_t>(end - word);
        if (size > 0) sought[waiting++] = table_.seek({word, size}, readable);
        if (waiting == sought.size()) count();
        word = next = position + space;
    };
    for (const char* block = data; block < end; block += kBlock) {
        for (uint64_t found = find_others(block, static_cast<size_t>(end - block)); found; found &= found - 1) {
            const char* const position = block + std::countr_zero(found);
            if (position < next) continue;  // within a character
            switch (kKinds[static_cast<uint8_t>(*position)]) {
                case kWord:
                    break;
                case kSpace:
                    end_word(position, 1);
                    break;
                case kNewline:
                    end_word(position, 1);
                    encoded_.ends.push_back(ids.size() + waiting);
                    break;
                case kMultibyte:
                    const Character character = decode(position, end);
                    if (character.size == 0) throw invalid_byte(data, position);
                    next = position + character.size;
                    if (is_space(character.code)) end_word(position, static_cast<size_t>(character.size));
            }
        }
    }
    end_word(end, 0);
    count();
}

Encoded Ingest::take() {
    return std::exchange(encoded_, {});
}

SortedWords Ingest::drain() {
    return std::exchange(table_, {}).drain();
}

}  // namespace firth
