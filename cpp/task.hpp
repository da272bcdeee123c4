// What a training run is made of, in plain data: the seam between Python, the dispatcher and the loop.
#pragma once
#include <cstdint>

namespace firth {

struct Text {                 // encoded text: ids in order, and where each sentence begins
    const uint32_t* ids;      // an id of `vocabulary` or more is a word that is not learnt
    const uint64_t* offsets;  // sentences + 1 of them
    uint64_t tokens, sentences;
    uint32_t vocabulary;
    const uint32_t* keep;  // an occurrence survives subsampling if a random 32-bit number is at most this
};

enum class Architecture : uint8_t { skipgram, cbow };

struct ContextSettings {
    Architecture architecture;
    uint32_t window;  // words on each side
    bool shrink;      // draw the window from 1...window at each position
    bool mean;        // a hidden row is the mean of its input rows, else their sum
    bool exact;       // input rows move by the gradient of that mean, else (word2vec.c) by that of the sum
};

enum class Objective : uint8_t { negative_sampling, hierarchical_softmax, softmax, nce, sampled_softmax };

struct AliasSlot {
    uint32_t threshold, alias;
};

struct Noise {  // the distribution q of negatives, and how many are drawn for a prediction
    const AliasSlot* slots;
    uint32_t size, draws;
    const float* log_expected;  // log(K q(w)) of each word
};

// A step up in the Huffman tree is twice the inner node it leads to, and one more if it comes from the right.
constexpr uint32_t no_step = ~uint32_t(0);  // the root's

struct alignas(64) Path {  // the first steps from a word to the root, and behind them what is none
    static constexpr int size = 16;
    uint32_t steps[size];
};

struct Tree {
    const uint32_t* up;  // the step up from each word, then from each inner node
    // The paths of the first words, which come most, are written down: each load of a walk waits for the one
    // before.
    const Path* paths;
    uint32_t written, longest;  // words; steps in the longest path of all words
};

struct ObjectiveSettings {
    Objective objective;
    Noise noise;
    Tree tree;
};

template <class Real>
struct Weights {  // rows of `stride` numbers, 64-byte aligned; those beyond the dimension are and stay zero
    Real* input;
    Real* output;
    Real* bias;  // one number an output row, or null
    uint32_t stride;
    const uint8_t* frozen;  // nonzero for each input row that is to stay as it is; null where all learn
};

struct Counters {  // one cache line a thread, read by others while it grows
    uint64_t tokens, predictions;
    double loss;
    uint64_t unused[5];
};

// Threads that are to learn the same whatever their number do so in rounds: of so many blocks at once one part, of
// so many, each.
constexpr uint32_t blocks_of_a_round = 8, rounds_of_a_block = 8;

// The text is cut into blocks of so many tokens: what one thread learns before it bumps its counters and takes
// another. Windows reach over the cuts, and all random numbers derive from the block and the position, so that it
// does not matter which thread learns which block. Those that are learnt side by side do not see what the others
// learn: they are no more than a hundredth of a small text.
constexpr uint64_t tokens_of_a_block(uint64_t text, bool in_rounds) {
    constexpr uint64_t most = 2'000;
    const uint64_t hundredth = text / (100 * blocks_of_a_round);
    return !in_rounds || hundredth > most ? most : hundredth > 0 ? hundredth : 1;
}
constexpr uint64_t tokens_of_a_part(uint64_t block) {
    return (block + rounds_of_a_block - 1) / rounds_of_a_block;
}

// Threads that race keep copies of the rows that all want, in so many bytes each, and as many bytes again of what
// these were.
constexpr uint64_t room_for_copies = 2 << 20;

// Where those threads wait for one another. All zero at first.
struct Meeting {
    uint32_t arrived, number;  // how many have come to this meeting, and how many meetings there were
    uint32_t leave, broken;    // what the last one decided; somebody will never come
    uint64_t unused[6];        // what follows is read all the time, and on a line of cache of its own
    void* shares[blocks_of_a_round];
};

// What a stop flag tells the threads: to go on; to leave at the next window; to leave before the next block, from
// where others may go on as if nobody had left. In rounds, both tell to leave before the next blocks.
constexpr int32_t go_on = 0, leave_at_once = 1, leave_after_block = 2;

struct Epoch {
    uint64_t seed, number;
    double rate_from, rate_to;  // learning rate at the first and behind the last token
    uint64_t* next_block;       // shared by the threads
    const int32_t* stop;        // one of the above
    uint32_t thread, threads;   // which of how many
    Meeting* meeting;           // shared by the threads; null where they race
};

template <class Real>
struct Task {
    Text text;
    ContextSettings context;
    ObjectiveSettings objective;
    Weights<Real> weights;
};

using Learn = void (*)(const Task<float>&, const Epoch&, Counters&);

struct InstructionSet {
    const char* name;
    Learn learn;
};

// The best set that this machine runs, or the one that FIRTH_ISA names ("avx512", "avx2", "plain").
// Returns a null name where FIRTH_ISA names one that is unknown or cannot run here.
InstructionSet choose_instruction_set();

void learn_double(const Task<double>&, const Epoch&, Counters&);  // plain set; the gradient checks use it

}  // namespace firth
