#include "words.hpp"

#include <array>
#include <functional>
#include <numeric>
#include <stdexcept>

#include "paging.hpp"

namespace firth {

void sort_beginnings(std::vector<Beginning>& beginnings) {
    std::array<std::array<size_t, 256>, 8> places{};  // by byte, the lowest first, and its value
    for (const Beginning& each : beginnings)
        for (size_t byte = 0; byte < 8; ++byte) ++places[byte][each.number >> 8 * byte & 255];
    std::vector<Beginning> sorted(beginnings.size());
    for (size_t byte = 0; byte < 8; ++byte) {
        std::exclusive_scan(places[byte].begin(), places[byte].end(), places[byte].begin(), size_t{0});
        for (const Beginning& each : beginnings) sorted[places[byte][each.number >> 8 * byte & 255]++] = each;
        beginnings.swap(sorted);
    }
}

std::vector<uint32_t> find_all(const WordList& words, const uint32_t* order, const WordList& wanted,
                               const uint32_t* wanted_order) {
    std::vector<uint32_t> found(wanted.size, kNoWord);
    size_t low = 0;  // all words before it are less than what is wanted
    for (size_t i = 0; i < wanted.size; ++i) {
        const std::string_view word = wanted[wanted_order[i]];
        const auto less = [&](size_t at) { return words[order[at]] < word; };
        size_t step = 1;  // in growing steps from the last one found: cheap however the two sizes compare
        while (low + step <= words.size && less(low + step - 1)) low += step, step *= 2;
        size_t high = std::min(low + step - 1, words.size);
        while (low < high) {
            const size_t middle = low + (high - low) / 2;
            less(middle) ? low = middle + 1 : high = middle;
        }
        if (low < words.size && words[order[low]] == word) found[wanted_order[i]] = order[low];
    }
    return found;
}

void renumber(uint32_t* ids, size_t size, const uint32_t* table, size_t entries) {
    uint32_t greatest = 0;
    for (size_t i = 0; i < size; ++i) greatest = std::max(greatest, ids[i]);
    if (size > 0 && greatest >= entries) throw std::invalid_argument("an id has no entry in the table");
    for (size_t i = 0; i < size; ++i) ids[i] = table[ids[i]];
}

Merge::Merge(std::vector<Run> runs)
    : runs_(std::move(runs)), heads_(runs_.size()), waiting_(After{heads_.data()}) {
    uint64_t words = 0;
    for (const Run& run : runs_) begins_.push_back(words), words += run.words.size;
    rewind();
}

void Merge::rewind() {
    at_.assign(runs_.size(), 0);
    for (uint32_t run = 0; run < runs_.size(); ++run) push(run);
}

bool Merge::After::operator()(uint32_t a, uint32_t b) const {
    const Head &left = heads[a], &right = heads[b];
    return left.beginning != right.beginning ? left.beginning > right.beginning : left.word > right.word;
}

void Merge::push(uint32_t run) {
    const WordList& words = runs_[run].words;
    if (at_[run] == words.size) return;
    Head& head = heads_[run];
    head.word = words[at_[run]];
    head.beginning = beginning(head.word);
    waiting_.push(run);
}

// The least word that is left, its occurrences in all runs, and in `holders_` which these are; their `at_` is one
// past it.
int64_t Merge::next(std::string_view& word) {
    const Head least = heads_[waiting_.top()];
    word = least.word;
    int64_t count = 0;
    holders_.clear();
    while (!waiting_.empty()) {
        const uint32_t run = waiting_.top();
        if (heads_[run].beginning != least.beginning || heads_[run].word != word) break;
        waiting_.pop();
        count += runs_[run].counts[at_[run]++];
        holders_.push_back(run);
        push(run);
    }
    return count;
}

bool Merge::survey(size_t most) {
    read_ahead();
    std::string_view word;
    for (; most > 0 && !waiting_.empty(); --most) {
        Class& same = classes_[next(word)];
        ++same.words;
        same.bytes += word.size();
    }
    if (!waiting_.empty()) return true;
    end_survey();
    return false;
}

// From here on a class says where its next word goes: its rank, and the begin of its text.
void Merge::end_survey() {
    std::vector<int64_t> counts;
    for (const auto& each : classes_) counts.push_back(each.first);
    std::sort(counts.begin(), counts.end(), std::greater<>());
    for (int64_t count : counts) {
        Class& same = classes_[count];
        const Class begin{words_, bytes_};
        words_ += same.words;
        bytes_ += same.bytes;
        same = begin;
    }
    if (words_ >= kNoWord) throw std::length_error("more than 4,294,967,294 distinct words");
    rewind();
}

bool Merge::place(const Result& result, size_t most) {
    read_ahead();
    std::string_view word;
    for (; most > 0 && !waiting_.empty(); --most) {
        const int64_t count = next(word);
        Class& next_of = classes_.at(count);
        std::memcpy(result.text + next_of.bytes, word.data(), word.size());
        next_of.bytes += word.size();
        const auto rank = uint32_t(next_of.words++);
        result.ends[rank] = next_of.bytes;
        result.counts[rank] = count;
        result.order[placed_++] = rank;
        for (uint32_t run : holders_) result.ranks[begins_[run] + at_[run] - 1] = rank;
    }
    return !waiting_.empty();
}

void Merge::read_ahead() const {
    constexpr uint64_t kBytes = 32 << 20, kLeast = 4096, kMost = 1 << 18;  // bytes in all; words of a run
    constexpr uint64_t kWord = 3 * sizeof(uint64_t);
    const uint64_t words = std::clamp(kBytes / kWord / std::max<uint64_t>(runs_.size(), 1), kLeast, kMost);
    for (size_t run = 0; run < runs_.size(); ++run) {
        const auto& [list, counts] = runs_[run];
        const uint64_t from = at_[run], to = std::min<uint64_t>(from + words, list.size);
        if (from == to) continue;
        advise(list.ends + from, list.ends + to, MADV_WILLNEED);
        advise(counts + from, counts + to, MADV_WILLNEED);
        const char* text = list[from].data();
        advise(text, std::min(text + words * sizeof(uint64_t), list.text + list.ends[list.size - 1]),
               MADV_WILLNEED);
    }
}

}  // namespace firth
