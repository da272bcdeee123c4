#include "ingest.hpp"

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

constexpr uint64_t kLong = uint64_t{0xff} << 56;

// The word's first seven bytes, and above them its size or, if it is longer, kLong.
uint64_t key_of(std::string_view word, size_t readable) {
    uint64_t bytes = 0;
    std::memcpy(&bytes, word.data(), readable < 8 ? std::min<size_t>(word.size(), 7) : 8);
    if constexpr (std::endian::native == std::endian::big) bytes = __builtin_bswap64(bytes);
    const size_t size = word.size();
    return size > 7 ? bytes << 8 >> 8 | kLong : (bytes & ((uint64_t{1} << 8 * size) - 1)) | uint64_t{size} << 56;
}

// Well mixed, and the same in every process.
uint32_t hash_of(std::string_view word, uint64_t key) {
    constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
    uint64_t state = mix(key, kOdd);
    if (key >= kLong) {
        const char *piece = word.data() + 7, *const last = word.data() + word.size() - 8;
        for (uint64_t bytes;; piece += 8) {
            std::memcpy(&bytes, std::min(piece, last), 8);
            state = mix(state ^ bytes, kOdd + word.size());
            if (piece >= last) break;
        }
    }
    return static_cast<uint32_t>(state ^ state >> 32);
}

// The first byte from `position` on that may be more than a letter of ASCII: white space, control characters, and
// whatever is not ASCII.
const char* skip_letters(const char* position, const char* end) {
    constexpr uint64_t kOnes = 0x0101010101010101;
    for (; end - position >= 8; position += 8) {
        uint64_t bytes;
        std::memcpy(&bytes, position, 8);
        if constexpr (std::endian::native == std::endian::big) bytes = __builtin_bswap64(bytes);
        // Subtracting 0x21 borrows from the high bit of smaller bytes; what it borrows from bytes above does not
        // matter, for the lowest is taken.
        if (const uint64_t found = ((bytes - 0x21 * kOnes) | bytes) & 0x80 * kOnes)
            return position + std::countr_zero(found) / 8;
    }
    while (position < end && static_cast<uint8_t>(*position - 0x21) < 0x5f) ++position;
    return position;
}

}  // namespace

WordTable::WordTable() : slots_(1 << 16), ends_(1), counts_(1), mask_((1 << 16) - 1) {}

std::string_view WordTable::word(size_t entry) const {
    const uint64_t begin = ends_[entry - 1];
    return {text_.data() + begin, ends_[entry] - begin};
}

WordTable::Sought WordTable::seek(std::string_view word, size_t readable) const {
    const uint64_t key = key_of(word, readable);
    const uint32_t hash = hash_of(word, key);
    __builtin_prefetch(&slots_[hash & mask_], 1);
    return {word, key, hash};
}

uint32_t WordTable::count(const Sought& sought) {
    const auto& [word, key, hash] = sought;
    for (size_t at = hash;; ++at) {
        Slot& slot = slots_[at & mask_];
        if (slot.entry == 0) return insert(sought, &slot);
        if (slot.key == key && (key < kLong || (slot.hash == hash && this->word(slot.entry) == word))) {
            ++counts_[slot.entry];
            return slot.entry - 1;
        }
    }
}

uint32_t WordTable::insert(const Sought& sought, Slot* slot) {
    const size_t entry = ends_.size();
    if (entry == UINT32_MAX) throw std::length_error("more than 4,294,967,294 distinct words");
    text_.insert(text_.end(), sought.word.begin(), sought.word.end());
    ends_.push_back(text_.size()), counts_.push_back(1);
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
    // The slots go before the words are sorted, for which each has a key of 16 bytes.
    constexpr size_t kSorted = 16 + sizeof(uint32_t) + sizeof(uint64_t) + sizeof(int64_t);
    const size_t drained = ends_.size() * kSorted + text_.size();
    return ends_.capacity() * (sizeof(uint64_t) + sizeof(int64_t)) + text_.capacity() +
           std::max(slots_.size() * sizeof(Slot), drained);
}

SortedWords WordTable::drain() && {
    slots_ = {};
    SortedWords sorted;
    sorted.ids = order_by_bytes(ends_.size() - 1, [this](uint32_t id) { return word(id + 1); });
    sorted.text.reserve(text_.size());
    sorted.ends.reserve(sorted.ids.size());
    sorted.counts.reserve(sorted.ids.size());
    for (uint32_t id : sorted.ids) {
        const std::string_view next = word(id + 1);
        sorted.text.insert(sorted.text.end(), next.begin(), next.end());
        sorted.ends.push_back(sorted.text.size());
        sorted.counts.push_back(counts_[id + 1]);
    }
    return sorted;
}

void Ingest::add_text(const char* data, size_t size) {
    const char* const end = data + size;
    const char* word = data;  // the begin of the current word, line and character
    const char* line = data;
    const char* position = data;
    const size_t lines = encoded_.ends.size();
    std::array<WordTable::Sought, 32>
        sought;  // some words at a time, so that their slots come from memory together
    size_t waiting = 0;
    const auto count = [&] {
        for (size_t i = 0; i < waiting; ++i) encoded_.ids.push_back(table_.count(sought[i]));
        waiting = 0;
    };
    const auto end_word = [&](const char* next) {
        const size_t size = static_cast<size_t>(position - word), readable = static_cast<size_t>(end - word);
        if (size > 0) sought[waiting++] = table_.seek({word, size}, readable);
        if (waiting == sought.size()) count();
        word = position = next;
    };
    while ((position = skip_letters(position, end)) < end) {
        switch (kKinds[static_cast<uint8_t>(*position)]) {
            case kWord:
                ++position;
                break;
            case kSpace:
                end_word(position + 1);
                break;
            case kNewline:
                end_word(position + 1);
                encoded_.ends.push_back(encoded_.ids.size() + waiting);
                line = position;
                break;
            case kMultibyte:
                const Character character = decode(position, end);
                if (character.size == 0)
                    throw InvalidByte{encoded_.ends.size() - lines + 1, static_cast<uint64_t>(position - line) + 1,
                                      static_cast<uint8_t>(*position)};
                const char* const next = position + character.size;
                is_space(character.code) ? end_word(next) : void(position = next);
        }
    }
    end_word(end);
    count();
}

Encoded Ingest::take() {
    return std::exchange(encoded_, {});
}

SortedWords Ingest::drain() {
    return std::exchange(table_, {}).drain();
}

}  // namespace firth
