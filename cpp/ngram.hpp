// n-gram models: text → sorted n-grams → levels → probabilities and back-offs → scores.
//
// An n-gram of length k is a node at level k of a tree whose root is the empty n-gram: the children of a node are
// its extensions to the *left*, in the order of their leftmost words. So a node's ancestors are its suffixes, the
// n-grams that share a last word lie together at every level (suffix order), and an n-gram is found by walking
// from its last word to its first. This is the reverse trie of KenLM (Heafield 2011), and its counts are those of
// lmplz (Heafield et al. 2013).
//
// The stages work on shards: n-grams that end in one range of words, while they are counted, and n-grams whose
// *history* ends in such a range, while they are estimated. Neither kind of shard looks at another's results, so
// any number of threads gives the same numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace firth::ngram {

// The first ids of every model: the unknown word, and what stands before and after every sentence.
constexpr uint32_t unknown = 0, start = 1, stop = 2;

struct Range {
    uint32_t from, to;  // words from … to − 1
    bool has(uint32_t word) const { return from <= word && word < to; }
};

// -- counting ------------------------------------------------------------------------------------------------

// Sentences as one stream of words: <s> words </s> <s> words </s> …
struct Text {
    const uint32_t* ids;
    const uint64_t* offsets;  // sentence s is ids[offsets[s]] … ids[offsets[s + 1] − 1]
    uint64_t sentences;
    const uint32_t* table;  // the model's word of each id

    uint64_t size() const { return offsets[sentences] + 2 * sentences; }
};

// The words of the stream from position `from`, which may be below 0 (<s>), to before `to`.
void stream(const Text& text, int64_t from, int64_t to, uint32_t* out);

// The n-grams of a piece of the stream that end in `last`: for each its words, the last one first, then its count,
// in suffix order. Those that reach a sentence's start are filled up with <s>, as in lmplz. The first `order − 1`
// words of the piece are histories only. `words` bounds all of them.
std::vector<uint32_t> sorted(const uint32_t* piece, size_t size, int order, Range last, uint32_t words);

struct Run {  // what `sorted` gave
    const uint32_t* at;
    const uint32_t* end;
};

struct Level {  // n-grams of one length
    uint64_t size;
    uint32_t* left;   // the leftmost word (none at level 1, where n-gram w is word w)
    uint32_t* begin;  // size + 1: the children, at the next level
    uint32_t* count;  // raw or adjusted; of one that is left out, `pruned` is set
    float* prob;      // P(last word | the words before it), then its log10
    float* backoff;   // the weight of shorter histories after this one, then its log10
};
constexpr uint32_t pruned = 1u << 31;

using Levels = std::vector<Level>;  // level k at [k − 1]

struct Counting {
    bool adjusted;                // Kneser-Ney's counts: of distinct words to the left, not of occurrences
    std::vector<uint32_t> prune;  // an n-gram that occurs at most so often, by length, is left out
    uint32_t kept;                // so is one that holds a word of this id or above
};

struct Tally {  // of n-grams of one length
    static constexpr int counts = 8;
    uint64_t size = 0, kept = 0;
    uint64_t of_count[counts] = {};  // how many have count r; the last, that or more
};

// How many n-grams of each length the runs hold, together.
std::vector<uint64_t> sizes(const std::vector<Run>& runs, int order);

// Writes the n-grams of the runs, which end in `last`, from index `first[k − 1]` of level k on. Throws
// std::overflow_error for counts beyond 31 bits.
std::vector<Tally> fill(const std::vector<Run>& runs, const Counting& counting, Range last,
                        const std::vector<uint64_t>& first, const Levels& levels);

// -- estimation ----------------------------------------------------------------------------------------------

enum class Combine : uint8_t {
    interpolate,  // P(w|h) = kept(hw)/total(h) + backoff(h) P(w|h′)
    back_off,     // P(w|h) = kept(hw)/total(h) if that was seen, else backoff(h) P(w|h′)
    alone,        // P(w|h) = (count(hw) + k)/(total(h) + kV), and backoff(h) = k/(total(h) + kV)
};

// What a smoothing takes from a count, for words that were not seen: take[count] + share · count, the last entry
// of `take` for all counts from there on.
struct Smoothing {
    Combine combine;
    std::vector<double> take;
    double share;
    double add;      // k
    uint32_t words;  // V, without <s>

    double taken(uint32_t count) const {
        return take[count < take.size() ? count : take.size() - 1] + share * count;
    }
};

// Estimates level `k` where histories end in `last`: prob of that level and backoff of the one below, whose prob
// is known. `histories` gives for each n-gram of a level the place of its history in the level below: those of the
// n-grams below are read, and those of level k written.
struct Histories {
    const uint32_t* below;
    uint32_t* here;
};
void estimate(const Levels& levels, int k, Range last, const Smoothing& smoothing, Histories histories);

// For Jelinek-Mercer, in the same place: how often, among occurrences each left out of the counts in its turn, the
// relative frequency at level k is 2^(b/8) times the probability of shorter histories, by b + `ratio_zero`; bin 0
// is for never. `left_out` are such probabilities, of the level below; those of level k are written by
// `leave_out` when its weight is known.
constexpr int ratio_bins = 512, ratio_zero = 256;
struct LeftOut {
    const float* below;
    float* here;
};
std::vector<double> ratios(const Levels& levels, int k, Range last, Histories histories, const float* left_out);
void leave_out(const Levels& levels, int k, Range last, Histories histories, double weight, LeftOut left_out);

// Copies level k without what is pruned into `to`, and the children of level k − 1; log10 of its numbers.
void compact(const Level& parents, const Level& from, const Level& to_parents, const Level& to);
void to_log10(float* numbers, size_t size);

// -- use -----------------------------------------------------------------------------------------------------

struct Model {
    Levels levels;
    bool alone;    // back-offs are the probabilities of what was not seen: Combine::alone
    float unseen;  // then, after a history that was not seen either: log10 P

    int order() const { return int(levels.size()); }
};

// What was read: the words before, the nearest first, as many as a history has, and the back-offs of those
// histories that the model knows.
struct State {
    std::vector<uint32_t> words;
    std::vector<float> backoffs;
    int length = 0, known = 0;

    explicit State(int order) : words(size_t(order)), backoffs(size_t(order)) {}
};

struct Score {
    float log10;
    int length;  // of the n-gram found
};

// log10 P(word | state); `next`, unless it is null, becomes the state behind the word.
Score score(const Model& model, const State& state, uint32_t word, State* next);

}  // namespace firth::ngram
