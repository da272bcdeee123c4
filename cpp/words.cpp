#include "words.hpp"

#include <functional>
#include <stdexcept>

#include "paging.hpp"

namespace firth {

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

Merge::Merge(std::vector<Run> runs) : runs_(std::move(runs)) {
    uint64_t words = 0;
    for (const Run& run : runs_) begins_.push_back(words), words += run.words.size;
    rewind();
}

bool Merge::after(const Head& a, const Head& b) {
    return a.beginning != b.beginning ? a.beginning > b.beginning : a.word > b.word;
}

void Merge::rewind() {
    at_.assign(runs_.size(), 0);
    for (uint32_t run = 0; run < runs_.size(); ++run) push(run);
}

void Merge::push(uint32_t run) {
    const WordList& words = runs_[run].words;
    if (at_[run] == words.size) return;
    const std::string_view word = words[at_[run]];
    heads_.push_back({beginning(word), word, run});
    std::push_heap(heads_.begin(), heads_.end(), after);
}

// The least word that is left, its occurrences in all runs, and in `holders_` which these are; their `at_` is one
// past it.
int64_t Merge::next(std::string_view& word) {
    word = heads_.front().word;
    int64_t count = 0;
    holders_.clear();
    while (!heads_.empty() && heads_.front().word == word) {
        const uint32_t run = heads_.front().run;
        std::pop_heap(heads_.begin(), heads_.end(), after);
        heads_.pop_back();
        count += runs_[run].counts[at_[run]++];
        holders_.push_back(run);
        push(run);
    }
    return count;
}

bool Merge::survey(size_t most) {
    read_ahead();
    std::string_view word;
    for (; most > 0 && !heads_.empty(); --most) {
        Class& same = classes_[next(word)];
        ++same.words;
        same.bytes += word.size();
    }
    if (!heads_.empty()) return true;
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
    for (; most > 0 && !heads_.empty(); --most) {
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
    return !heads_.empty();
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
