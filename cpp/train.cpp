// The one loop of all prediction models: position -> prediction -> output rows -> two dense products ->
// updates.
//
// Compiled once for each instruction set, with FIRTH_ISA naming its namespace and FIRTH_BYTES its vector
// width. No standard templates and no static initialisers here: their copies could be linked into every
// machine's path.
#include <sched.h>

#include "block.hpp"
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
            return most_of(task.objective.tree.longest, Path::size);  // so many are taken at once
        default:
            return task.objective.noise.draws + 2;
    }
}

// Wait until all threads have come. Whether they go on is decided by the last to come, so that all do the same.
inline bool meet(const Epoch& epoch, bool may_leave) {
    Meeting& meeting = *epoch.meeting;
    const uint32_t number = __atomic_load_n(&meeting.number, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(&meeting.arrived, 1, __ATOMIC_ACQ_REL) == epoch.threads) {
        const bool told = __atomic_load_n(epoch.stop, __ATOMIC_RELAXED) != go_on;
        __atomic_store_n(&meeting.leave, may_leave && told, __ATOMIC_RELAXED);
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
    Learner(const Task<Real>& task, const Epoch& epoch, Counters& counters, uint64_t hidden, uint64_t outputs)
        : task_(task),
          epoch_(epoch),
          counters_(counters),
          order_(task.text.tokens, epoch.meeting, epoch.seed, epoch.number),
          most_outputs_(outputs),
          listed_inputs_(task.text.vocabulary),
          listed_outputs_(task.text.vocabulary),
          windows_(task),
          zeros_(task.weights.stride),
          lessons_{{task, hidden, outputs, zeros_},
                   {task, hidden, outputs, zeros_},
                   {task, hidden, outputs, zeros_},
                   {task, hidden, outputs, zeros_}} {
        for (uint32_t i = 0; i < task.weights.stride; ++i) zeros_[i] = 0;
    }

    // The matrices for a thread that keeps copies of so many output rows,
    Part<Real> new_part(uint64_t kept) const {
        const Weights<Real>& weights = task_.weights;
        return {{weights.input, weights.stride, 0}, {weights.output, weights.stride, kept}, {weights.bias, 1, 0}};
    }

    // and for a part of a block that shares rows with others.
    Part<Real> new_part(const Marks& inputs, const Marks& outputs) const {
        const Weights<Real>& weights = task_.weights;
        const uint64_t rows = task_.text.vocabulary, tokens = tokens_of_a_part(order_.tokens);
        const uint64_t words = least_of(tokens + 2 * task_.context.window, rows);
        const uint64_t picked = least_of(tokens * most_outputs_, rows);
        return {{weights.input, weights.stride, rows, words, inputs},
                {weights.output, weights.stride, rows, picked, outputs},
                {weights.bias, 1, rows, picked, outputs}};
    }

    Block new_block() const {
        const Noise& noise = Rule::draws ? task_.objective.noise : nothing_;
        const uint64_t row = task_.weights.stride * sizeof(Real);
        return {task_.text, noise, order_.tokens, bool(epoch_.meeting), task_.context.window, row};
    }

    // Hogwild (Niu et al. 2011): whoever is free takes the next block, and all move the same rows without locks;
    // but those rows that all want, of which each keeps copies, between blocks alone.
    void race() {
        const uint64_t words = task_.text.vocabulary, rows = words ? words - 1 : 0;  // a tree has no more
        const uint64_t room = room_for_copies / (task_.weights.stride * sizeof(Real));
        const uint64_t wanted = epoch_.threads == 1 ? 0 : least_of(Rule::wanted, least_of(rows, room));
        Part<Real> part = new_part(worth_keeping(wanted, order_.blocks / epoch_.threads));
        Block block = new_block();
        part.output.exchange_all(epoch_.threads);
        for (uint64_t turns = 1; told() == go_on; ++turns) {
            const uint64_t turn = __atomic_fetch_add(epoch_.next_block, 1, __ATOMIC_RELAXED);
            if (turn >= order_.blocks) break;
            block.open(order_, epoch_, turn);
            part.tally = {};
            block.next_part(), learn_part(block, part);
            part.output.exchange(turns, epoch_.threads);
            publish(part.tally);
        }
        part.output.exchange_all(epoch_.threads);
    }

    struct Share {  // of a round
        Part<Real> part;
        Block block;
        Concerned rows[2];  // by this round's part of the block, and by the next one's
    };

    // The same whatever the number of threads: so many blocks are learnt side by side, a part of each in a round.
    // A row that only one part of a round concerns is moved where it lies. Of the others each has its own copies,
    // as the round before left them, and all bring home their moves in the order of the blocks.
    void learn_in_rounds() {
        const uint32_t me = epoch_.thread, threads = epoch_.threads;
        const uint64_t vocabulary = task_.text.vocabulary;
        // What one part of the round concerns, and what several do.
        Marks one_inputs(vocabulary), one_outputs(vocabulary), inputs(vocabulary), outputs(vocabulary);
        void** const shares = epoch_.meeting->shares;
        const auto share = [=](uint32_t p) -> Share& { return *static_cast<Share*>(shares[p]); };
        for (uint32_t p = me; p < blocks_of_a_round; p += threads)
            shares[p] = new Share{new_part(inputs, outputs), new_block(), {}};
        Homeward<Real> rows(task_.weights.stride), biases(1);

        uint64_t first = *epoch_.next_block;
        uint32_t size = size_of_round(first), round = 0, odd = 0;
        for (uint32_t p = me; p < size; p += threads) foresee_part(share(p), first + p, round, odd);
        while (meet(epoch_, round == 0) && size > 0) {
            one_inputs.clear(), one_outputs.clear(), inputs.clear(), outputs.clear();
            for (uint32_t p = 0; p < size; ++p) share(p).rows[odd].expect();
            for (uint32_t p = 0; p < size; ++p) {
                share(p).rows[odd].inputs.each([&](uint32_t id) { one_inputs.add(id, inputs); });
                share(p).rows[odd].outputs.each([&](uint32_t id) { one_outputs.add(id, outputs); });
            }
            for (uint32_t p = me; p < size; p += threads) {
                share(p).part.forget();
                learn_part(share(p).block, share(p).part);
                share(p).part.measure(size, me, threads);
            }
            const bool last = round + 1 == rounds_of_a_block;
            const uint64_t next = last ? first + size : first;
            const uint32_t next_size = size_of_round(next);
            round = last ? 0 : round + 1, odd = !odd;
            for (uint32_t p = me; p < next_size; p += threads) foresee_part(share(p), next + p, round, odd);
            if (!meet(epoch_, false)) break;
            for (uint32_t p = 0; p < size; ++p) share(p).part.expect();
            for (uint32_t p = 0; p < size; ++p) share(p).part.send_home(me, threads, rows, biases);
            rows.arrive(), biases.arrive();
            if (me == 0 && last) {  // a sum of losses depends on its order, too
                for (uint32_t p = 0; p < size; ++p) publish(share(p).part.tally), share(p).part.tally = {};
                *epoch_.next_block = next;
            }
            first = next, size = next_size;
        }
        for (uint32_t p = me; p < blocks_of_a_round; p += threads) delete &share(p);
    }

    uint32_t size_of_round(uint64_t first) const {
        const uint64_t left = first < order_.blocks ? order_.blocks - first : 0;
        return left < blocks_of_a_round ? uint32_t(left) : blocks_of_a_round;
    }

    int32_t told() const { return __atomic_load_n(epoch_.stop, __ATOMIC_RELAXED); }

    // A round that has begun is learnt to its end.
    bool stopped() const { return !epoch_.meeting && told() == leave_at_once; }

    // Whether hidden rows are made of input rows, for many positions at once.
    bool in_runs() const { return task_.context.architecture == Architecture::cbow; }

    void learn_part(Block& block, Part<Real>& part) {
        part.tally.tokens = block.tokens;
        for (const Stretch& stretch : block) part.locate(stretch);
        block.draws.locate(part.output);
        if (in_runs())
            learn_runs(block, part);
        else
            learn_stretches(block, part);
    }

    // Where the words of a stretch are learnt: how far the epoch has come decides the rate.
    void begin(const Block& block, const Stretch& stretch) {
        const double done = double(block.passed + stretch.from) / double(task_.text.tokens);
        rate_ = Real(epoch_.rate_from + (epoch_.rate_to - epoch_.rate_from) * done);
    }

    void learn_stretches(Block& block, Part<Real>& part) {
        const Stretch* next = block.begin();
        const auto expect_next = [&] { next != block.end() ? expect_first(*next++, part) : void(); };
        expect_next();
        for (const Stretch& stretch : block) {
            expect_next();
            begin(block, stretch);
            learn_stretch(stretch, block, part);
            if (stopped()) {
                part.tally.tokens = stretch.to;
                break;
            }
        }
        learn_rest(part);
    }

    // The words of a part run by run; the rows of a run are asked for while the one before is learnt.
    void learn_runs(Block& block, Part<Real>& part) {
        Words words(block.begin(), block.end());
        for (int n = 0; n < windows_.room(); ++n)
            if (const uint32_t* const place = words.next())
                prefetch<true>(part.input.expected(*place), task_.weights.stride);
        for (const Stretch& stretch : block) {
            begin(block, stretch);
            for (int at = stretch.begin, end; at < stretch.end; at = end) {
                end = int(least_of(uint64_t(stretch.end), uint64_t(at + windows_.room())));
                windows_.add(stretch, at, end, block.random, part.input);
                if (windows_.room() == 0) learn_run(block, words, part);
            }
            if (stopped()) {
                part.tally.tokens = stretch.to;
                break;
            }
        }
        if (windows_.size() > 0) learn_run(block, words, part);
    }

    void learn_run(Block& block, Words& words, Part<Real>& part) {
        windows_.gather(part.input);
        const int behind = apart(windows_.size(), block.reach(), Rule::targets);
        for (int one = 0; one < behind; ++one) {
            const int other = one + behind;
            if (stopped()) {
                windows_.forget(one), other < windows_.size() ? windows_.forget(other) : void();
                continue;
            }
            if (one + 2 < behind) Rule::expect(task_, windows_.id(one + 2));
            spare_->prepare(windows_, one, other, block.draws);
            if (spare_->finished()) continue;
            spare_->locate(part, block.begin()->located());
            for (int n = one; n < windows_.size(); n += behind)
                if (const uint32_t* const place = words.next()) spare_->expect(part, *place);
            line_up(part);
        }
        learn_rest(part);
        windows_.scatter(part.input);
    }

    // All lessons that were taken up.
    void learn_rest(Part<Real>& part) {
        finish(part);
        take_up(part);
        if (!first_->finished())  // the last stands for all of them
            part.pull(double(rate_), first_->hidden_square(), first_->output_square());
        finish(part);
    }

    void finish(Part<Real>& part) {
        while (!first_->finished() || !second_->finished()) learn(part);
    }

    // Go to the next part of a block, the first opens it, and tell which rows it may concern, without windows and
    // choices among draws: hardly more than it will.
    void foresee_part(Share& share, uint64_t turn, uint32_t round, uint32_t odd) {
        Block& block = share.block;
        if (round == 0) block.open(order_, epoch_, turn);
        block.next_part();
        Concerned& rows = share.rows[odd];
        rows.clear(), listed_inputs_.clear(), listed_outputs_.clear();
        const auto may_pick = [&](uint32_t id) { rows.outputs.add(id, listed_outputs_); };
        uint64_t words = 0;
        for (const Stretch& stretch : block) {
            for (int at = 0; at < stretch.size; ++at) rows.inputs.add(stretch.ids[at], listed_inputs_);
            for (int at = stretch.begin; at < stretch.end; ++at) Rule::foresee(task_, stretch.ids[at], may_pick);
            words += uint64_t(stretch.end - stretch.begin);
        }
        if (Rule::draws) block.draws.foresee(predictions(block, words) * task_.objective.noise.draws, may_pick);
    }

    // So many words make so many predictions.
    uint64_t predictions(const Block& block, uint64_t words) const {
        if (!in_runs()) return words;
        const uint64_t run = uint64_t(Windows<Real>::run(task_.text.vocabulary));
        return words / run * uint64_t(apart(int(run), block.reach(), Rule::targets)) +
               uint64_t(apart(int(words % run), block.reach(), Rule::targets));
    }

    // The input rows of the first predictions of a stretch: those that come with the next ones are asked for one
    // by one.
    void expect_first(const Stretch& stretch, const Part<Real>& part) {
        const int at = stretch.begin, window = int(task_.context.window);
        for (int i = at > window ? at - window : 0; i <= at + window && i < stretch.size; ++i)
            prefetch<true>(part.input.expected(stretch.inputs[i]), task_.weights.stride);
    }

    void learn_stretch(const Stretch& stretch, Block& block, Part<Real>& part) {
        const int window = int(task_.context.window);
        for (int at = stretch.begin; at < stretch.end && !stopped(); ++at) {
            if (at + 2 < stretch.end) Rule::expect(task_, stretch.ids[at + 2]);
            spare_->prepare(stretch, at, block.random, block.draws);
            if (spare_->finished()) continue;
            spare_->locate(part, stretch.located());
            if (at + window + 1 < stretch.size) spare_->expect(part, stretch.inputs[at + window + 1]);
            line_up(part);
        }
    }

    // Two lessons are learnt in turns, so that the arithmetic of one fills the waits of the other, while the
    // rows of a third are on their way from memory.
    void line_up(Part<Real>& part) {
        while (!first_->finished()) learn(part);
        spare_->ask();
        take_up(part);
        swap(coming_, spare_);
    }

    // The lesson that was coming takes the place of the first, which is finished.
    void take_up(Part<Real>& part) {
        swap(first_, coming_);
        if (first_->finished()) return;
        first_->begin(part);
    }

    static void swap(Lesson<Real, Rule>*& a, Lesson<Real, Rule>*& b) {
        Lesson<Real, Rule>* const other = a;
        a = b, b = other;
    }

    // The first lesson is scored while the second, scored before, is moved; then they change places. Rows are
    // asked for a few at a time: a core that waits for many cannot compute. Two lessons that look at the same
    // output rows must not move the same hidden row at once: neither would see what the other makes of its score,
    // both would overshoot, and on texts as sorted as the tree without end.
    void learn(Part<Real>& part) {
        const bool wait = Rule::alike && first_->has_hidden_row_of(*second_);
        if (wait) second_->move(*spare_);
        first_->score(*spare_);
        if (!wait) second_->move(*spare_);
        first_->link(part, rate_);
        swap(first_, second_);
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
    const Noise nothing_ = {};
    Marks listed_inputs_, listed_outputs_;
    Windows<Real> windows_;
    Buffer<Real> zeros_;
    Lesson<Real, Rule> lessons_[4];
    Lesson<Real, Rule>*first_ = &lessons_[0], *second_ = &lessons_[1], *coming_ = &lessons_[2],
                 *spare_ = &lessons_[3];
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
