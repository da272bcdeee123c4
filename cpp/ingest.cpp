#include "ingest.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <utility>

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

constexpr uint32_t kByteOrderMark = 0xfeff;

struct Character {
    uint32_t code;
    int size;  // 0: invalid; -1: cut short by the end
};

// A character of two to four bytes, strictly: nothing overlong, no surrogates, nothing beyond U+10FFFF.
Character decode(const char* position, const char* end) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(position);
    const uint8_t lead = bytes[0];
    const int size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4) return {0, 0};
    uint32_t code = lead & (0x7f >> size);
    for (int i = 1; i < size; ++i) {
        if (position + i == end) return {0, -1};
        if ((bytes[i] & 0xc0) != 0x80) return {0, 0};
        code = code << 6 | (bytes[i] & 0x3f);
    }
    const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return {code, overlong || surrogate || code > 0x10ffff ? 0 : size};
}

// The 1 to 8 bytes of a short piece in one integer, different for different pieces of one size.
uint64_t load(const char* data, size_t size) {
    if (size >= 4) {
        uint32_t first, last;
        std::memcpy(&first, data, 4);
        std::memcpy(&last, data + size - 4, 4);
        return first | uint64_t{last} << 32;
    }
    const auto* bytes = reinterpret_cast<const uint8_t*>(data);
    return bytes[0] | bytes[size / 2] << 8 | bytes[size - 1] << 16;
}

uint64_t mix(uint64_t a, uint64_t b) {
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// Well mixed, and the same in every process.
uint32_t hash_of(std::string_view word) {
    constexpr uint64_t kOdd = 0x9e3779b97f4a7c15, kOther = 0xd1b54a32d192ed03;
    const char* data = word.data();
    size_t size = word.size();
    uint64_t state = size * kOther;
    for (; size > 8; data += 8, size -= 8) {
        uint64_t piece;
        std::memcpy(&piece, data, 8);
        state = mix(state ^ piece, kOdd);
    }
    if (size > 0) state = mix(state ^ load(data, size), kOdd);
    return static_cast<uint32_t>(state ^ state >> 32);
}

}  // namespace

WordTable::WordTable() : slots_(1 << 16), entries_(1), mask_((1 << 16) - 1) {}

std::string_view WordTable::word(size_t id) const {
    const uint64_t begin = entries_[id].end;
    return std::string_view(text_).substr(begin, entries_[id + 1].end - begin);
}

uint32_t WordTable::count(std::string_view word) {
    const uint32_t hash = hash_of(word);
    for (size_t at = hash;; ++at) {
        Slot& slot = slots_[at & mask_];
        if (slot.entry == 0) return insert(word, hash, &slot);
        if (slot.hash == hash && this->word(slot.entry - 1) == word) {
            ++entries_[slot.entry].count;
            return slot.entry - 1;
        }
    }
}

uint32_t WordTable::insert(std::string_view word, uint32_t hash, Slot* slot) {
    const size_t entry = entries_.size();
    // The last id is kept free: it says "unknown" in encoded text.
    if (entry == UINT32_MAX) throw std::length_error("more than 4,294,967,294 distinct words");
    text_.append(word);
    entries_.push_back({text_.size(), 1});
    *slot = {hash, static_cast<uint32_t>(entry)};
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

void Ingest::feed(const char* data, size_t size) {
    buffer_.append(data, size);
    const char* const begin = buffer_.data();
    word_ = begin;
    const char* const stop = scan(begin + scanned_, begin + buffer_.size());
    scanned_ = stop - word_;
    base_ = offset(word_);
    buffer_.erase(0, word_ - begin);
}

// Finds the words up to the end, or up to a character that the end cuts short; gives where it stopped.
const char* Ingest::scan(const char* position, const char* end) {
    while (position < end) {
        switch (kKinds[static_cast<uint8_t>(*position)]) {
            case kWord:
                ++position;
                break;
            case kSpace:
                end_word(position);
                word_ = ++position;
                break;
            case kNewline:
                end_word(position);
                word_ = ++position;
                end_line(position);
                break;
            case kMultibyte:
                const char* const next = scan_multibyte(position, end);
                if (next == position) return position;
                position = next;
        }
    }
    return position;
}

const char* Ingest::scan_multibyte(const char* position, const char* end) {
    const Character character = decode(position, end);
    if (character.size == 0) reject(position);
    if (character.size < 0) return position;
    const char* const next = position + character.size;
    if (is_space(character.code)) {
        end_word(position);
        word_ = next;
    } else if (character.code == kByteOrderMark && offset(position) == 0) {
        word_ = next;
        line_start_ = offset(next);
    }
    return next;
}

void Ingest::end_text() {
    const char* const begin = buffer_.data();
    const char* const end = begin + buffer_.size();
    if (begin + scanned_ < end) reject(begin + scanned_);
    word_ = begin;
    end_word(end);
    if (offset(end) > line_start_) end_sentence();
    buffer_.clear();
    scanned_ = base_ = line_start_ = 0;
    line_ = 1;
}

void Ingest::end_word(const char* position) {
    if (position > word_) add_word({word_, static_cast<size_t>(position - word_)});
}

void Ingest::end_line(const char* next) {
    end_sentence();
    ++line_;
    line_start_ = offset(next);
}

void Ingest::reject(const char* position) const {
    throw InvalidByte{line_, offset(position) - line_start_ + 1, static_cast<uint8_t>(*position)};
}

void Ingest::add_word(std::string_view word) {
    encoded_.ids.push_back(table_.count(word));
    ++words_;
}

Encoded Ingest::take() {
    return std::exchange(encoded_, {});
}

Ranking Ingest::vocabulary() const {
    const size_t size = table_.size();
    std::vector<uint32_t> by_bytes(size);
    std::iota(by_bytes.begin(), by_bytes.end(), 0);
    std::sort(by_bytes.begin(), by_bytes.end(),
              [&](uint32_t a, uint32_t b) { return table_.word(a) < table_.word(b); });
    std::vector<uint32_t> by_count = by_bytes;
    std::stable_sort(by_count.begin(), by_count.end(),
                     [&](uint32_t a, uint32_t b) { return table_.occurrences(a) > table_.occurrences(b); });

    Ranking ranking;
    ranking.ranks.resize(size);
    for (size_t rank = 0; rank < size; ++rank) {
        const uint32_t id = by_count[rank];
        ranking.text.append(table_.word(id));
        ranking.ends.push_back(ranking.text.size());
        ranking.counts.push_back(table_.occurrences(id));
        ranking.ranks[id] = static_cast<uint32_t>(rank);
    }
    for (uint32_t id : by_bytes) ranking.order.push_back(ranking.ranks[id]);
    return ranking;
}

}  // namespace firth
