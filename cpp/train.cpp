// The one loop of all prediction models: position -> prediction -> output rows -> two dense products ->
// updates.
//
// Compiled once for each instruction set, with FIRTH_ISA naming its namespace and FIRTH_BYTES its vector
// width. No standard templates and no static initialisers here: their copies could be linked into every
// machine's path.
#include <sched.h>

#include "lesson.hpp"
#include "task.hpp"

namespace firth {
namespace FIRTH_ISA {

template <class Real>
uint64_t most_outputs(const Task<Real>& task) {
    switch (task.objective.objective) {
        case Objective::softmax:
            return task.text.vocabulary;
        case Objective::hierarchical_softmax:
            return task.objective.tree.longest;
        default:
            return task.objective.noise.draws + 1;
    }
}

// Wait until all threads have come. Whether they go on is decided by the last to come, so that all do the same.
inline bool meet(const Epoch& epoch, int32_t leave_for) {
    Meeting& meeting = *epoch.meeting;
    const uint32_t number = __atomic_load_n(&meeting.number, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(&meeting.arrived, 1, __ATOMIC_ACQ_REL) == epoch.threads) {
        const int32_t told = __atomic_load_n(epoch.stop, __ATOMIC_RELAXED);
        __atomic_store_n(&meeting.leave, told == leave_at_once || told == leave_for, __ATOMIC_RELAXED);
        __atomic_store_n(&meeting.arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&meeting.number, number + 1, __ATOMIC_RELEASE);
    }
    for (int turns = 0; __atomic_load_n(&meeting.number, __ATOMIC_ACQUIRE) == number; ++turns) {
        if (__atomic_load_n(&meeting.broken, __ATOMIC_RELAXED)) return false;
        if (turns > 100) sched_yield();
    }
    return !__atomic_load_n(&meeting.leave, __ATOMIC_RELAXED);
}

template <class Real, class Rule>
class Learner {
  public:
    Learner(const Task<Real>& task, const Epoch& epoch, Counters& counters)
        : Learner(task, epoch, counters, 2 * uint64_t(task.context.window), most_outputs(task)) {}

    void run() { epoch_.meeting ? learn_in_rounds() : race(); }

  private:
    Learner(const Task<Real>& task, const Epoch& epoch, Counters& counters, uint64_t inputs, uint64_t outputs)
        : task_(task),
          epoch_(epoch),
          counters_(counters),
          order_(task.text.tokens, epoch.meeting, epoch.seed, epoch.number),
          most_outputs_(outputs),
          lessons_{
              {task, inputs, outputs}, {task, inputs, outputs}, {task, inputs, outputs}, {task, inputs, outputs}},
          words_(order_.tokens + inputs) {}

    // The matrices for one block, where the first so many rows of each are copied when they are asked for.
    Part<Real> new_part(uint64_t inputs, uint64_t outputs, uint64_t biases) const {
        const Weights<Real>& weights = task_.weights;
        const auto capacity = [&](uint64_t limit, uint64_t most) {
            const uint64_t rows = limit < task_.text.vocabulary ? limit : task_.text.vocabulary;
            return rows < most ? rows : most;
        };
        const uint64_t words = order_.tokens + 2 * task_.context.window, picked = order_.tokens * most_outputs_;
        return {{weights.input, weights.stride, inputs, capacity(inputs, words)},
                {weights.output, weights.stride, outputs, capacity(outputs, picked)},
                {weights.bias, 1, biases, capacity(biases, picked)}};
    }

    // Hogwild (Niu et al. 2011): whoever is free takes the next block, and all move the same rows without locks;
    // but those rows that all want all the time only between blocks.
    void race() {
        const bool crowded = epoch_.threads > 1 && order_.blocks > 100 * epoch_.threads;
        Part<Real> part = new_part(0, crowded ? Rule::hot : 0, 0);
        while (told() == go_on) {
            const uint64_t turn = __atomic_fetch_add(epoch_.next_block, 1, __ATOMIC_RELAXED);
            if (turn >= order_.blocks) return;
            learn_block(turn, part);
            measure(part, epoch_.threads);
            part.bring_home(0, 1);
            part.forget();
            publish(part.tally);
        }
    }

    // The same whatever the number of threads: blocks are learnt in rounds, each on its own copies of the rows as
    // the round before left them, and all bring home their moves in the order of the blocks.
    void learn_in_rounds() {
        constexpr uint64_t all = ~uint64_t(0);
        const uint32_t size = blocks_of_a_round, me = epoch_.thread, threads = epoch_.threads;
        Meeting& meeting = *epoch_.meeting;
        for (uint32_t p = me; p < size; p += threads) meeting.parts[p] = new Part<Real>(new_part(all, all, all));
        const auto part = [&](uint32_t p) -> Part<Real>& { return *static_cast<Part<Real>*>(meeting.parts[p]); };
        while (meet(epoch_, leave_after_block)) {
            const uint64_t first = *epoch_.next_block;
            if (first >= order_.blocks) break;
            const uint32_t parts = order_.blocks - first < size ? uint32_t(order_.blocks - first) : size;
            for (uint32_t p = me; p < parts; p += threads) {
                part(p).forget();
                learn_block(first + p, part(p));
                measure(part(p), parts);
            }
            if (!meet(epoch_, leave_at_once)) break;  // nothing of this round is brought home
            for (uint32_t p = 0; p < parts; ++p) part(p).bring_home(me, threads);
            if (me == 0) {
                for (uint32_t p = 0; p < parts; ++p) publish(part(p).tally);
                *epoch_.next_block = first + parts;
            }
        }
        for (uint32_t p = me; p < size; p += threads) delete &part(p);
    }

    // The lesson learnt last stands for all of the block.
    void measure(Part<Real>& part, uint32_t parts) const {
        part.measure(double(rate_), first_->hidden_square(), first_->output_square(), parts);
    }

    int32_t told() const { return __atomic_load_n(epoch_.stop, __ATOMIC_RELAXED); }

    bool stopped() const { return told() == leave_at_once; }

    void learn_block(uint64_t turn, Part<Real>& part) {
        part.tally = {};
        const Text& text = task_.text;
        const uint64_t block = order_.block(turn);
        uint64_t begin = block * order_.tokens;
        const uint64_t end = begin + order_.tokens < text.tokens ? begin + order_.tokens : text.tokens;
        uint64_t passed = turn * order_.tokens;
        const uint64_t survival = stream_key(epoch_.seed, epoch_.number, 0);
        Random random(stream_key(epoch_.seed, epoch_.number, block + 1));
        Draws draws(task_.objective.noise, random);
        uint64_t sentence = sentence_of(begin);
        while (begin < end && !stopped()) {
            while (text.offsets[sentence + 1] <= begin) ++sentence;
            const uint64_t sentence_end = text.offsets[sentence + 1];
            const uint64_t to = sentence_end < end ? sentence_end : end;
            Stretch stretch{words_, 0, 0, 0};
            gather(text, survival, int(task_.context.window), text.offsets[sentence], begin, to, sentence_end,
                   stretch);
            const double done = double(passed) / double(text.tokens);
            rate_ = Real(epoch_.rate_from + (epoch_.rate_to - epoch_.rate_from) * done);
            learn_stretch(stretch, random, draws, part);
            passed += to - begin;
            part.tally.tokens += to - begin;
            begin = to;
        }
        while (!first_->finished() || !second_->finished()) learn(part);
        take_up(first_, part);
        while (!first_->finished()) learn(part);
    }

    uint64_t sentence_of(uint64_t token) const {  // the last sentence that begins at or before it
        uint64_t low = 0, high = task_.text.sentences;
        while (high - low > 1) {
            const uint64_t middle = low + (high - low) / 2;
            (task_.text.offsets[middle] <= token ? low : high) = middle;
        }
        return low;
    }

    // Two lessons are learnt side by side, so that the arithmetic of one fills the waits of the other, while the
    // rows of a third are on their way from memory.
    void learn_stretch(const Stretch& stretch, Random& random, Draws& draws, Part<Real>& part) {
        for (int at = stretch.begin; at < stretch.end && !stopped(); ++at) {
            const int ahead = at + int(task_.context.window) + 1;
            if (ahead < stretch.size) part.input.fetch(stretch.ids[ahead]);
            if (at + 2 < stretch.end) Rule::expect(task_, stretch.ids[at + 2]);
            if (!spare_->prepare(stretch, at, random, draws, part)) continue;
            while (!first_->finished() && !second_->finished()) learn(part);
            take_up(first_->finished() ? first_ : second_, part);
            swap(coming_, spare_);
        }
    }

    // The lesson that was coming takes the place of one that is finished.
    void take_up(Lesson<Real, Rule>*& place, Part<Real>& part) {
        swap(place, coming_);
        if (!place->finished()) place->begin(part);
    }

    static void swap(Lesson<Real, Rule>*& a, Lesson<Real, Rule>*& b) {
        Lesson<Real, Rule>* const other = a;
        a = b, b = other;
    }

    void learn(Part<Real>& part) {
        first_->score(), second_->score();
        first_->link(part, rate_), second_->link(part, rate_);
        first_->move(), second_->move();
    }

    void publish(const Tally<Real>& tally) {
        const double loss = counters_.loss + tally.loss();
        __atomic_store_n(&counters_.tokens, counters_.tokens + tally.tokens, __ATOMIC_RELAXED);
        __atomic_store_n(&counters_.predictions, counters_.predictions + tally.predictions, __ATOMIC_RELAXED);
        __atomic_store(&counters_.loss, &loss, __ATOMIC_RELAXED);
    }

    const Task<Real>& task_;
    const Epoch& epoch_;
    Counters& counters_;
    const Order order_;
    const uint64_t most_outputs_;
    Lesson<Real, Rule> lessons_[4];
    Lesson<Real, Rule>*first_ = &lessons_[0], *second_ = &lessons_[1], *coming_ = &lessons_[2],
                 *spare_ = &lessons_[3];
    Buffer<uint32_t> words_;
    Real rate_ = 0;
};

template <class Real>
void learn(const Task<Real>& task, const Epoch& epoch, Counters& counters) {
    switch (task.objective.objective) {
        case Objective::negative_sampling:
            return Learner<Real, NegativeSampling>(task, epoch, counters).run();
        case Objective::hierarchical_softmax:
            return Learner<Real, HierarchicalSoftmax>(task, epoch, counters).run();
        case Objective::softmax:
            return Learner<Real, Softmax>(task, epoch, counters).run();
        case Objective::nce:
            return Learner<Real, NoiseContrastive>(task, epoch, counters).run();
        case Objective::sampled_softmax:
            return Learner<Real, SampledSoftmax>(task, epoch, counters).run();
    }
}

void learn_float(const Task<float>& task, const Epoch& epoch, Counters& counters) {
    learn(task, epoch, counters);
}
#ifdef FIRTH_DOUBLE
void learn_double(const Task<double>& task, const Epoch& epoch, Counters& counters) {
    learn(task, epoch, counters);
}
#endif

}  // namespace FIRTH_ISA
}  // namespace firth
