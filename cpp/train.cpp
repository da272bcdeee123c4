// The one loop of all prediction models: position -> prediction -> output rows -> two dense products ->
// updates.
//
// Compiled once for each instruction set, with FIRTH_ISA naming its namespace and FIRTH_BYTES its vector
// width. No standard templates and no static initialisers here: their copies could be linked into every
// machine's path.
#include <cstdlib>
#include <new>

#include "context.hpp"
#include "objective.hpp"
#include "rows.hpp"
#include "task.hpp"

namespace firth {
namespace FIRTH_ISA {

// Hidden rows are learnt so many at a time. More share the loading and storing of output rows; but none of them
// sees what the others teach these rows, and with all ten of a window at once analogies lose half a point.
constexpr int together = 3;

// Room for `count` numbers, on cache lines of its own.
template <class T>
class Buffer {
  public:
    explicit Buffer(uint64_t count)
        : data_(static_cast<T*>(::aligned_alloc(64, (count * sizeof(T) / 64 + 2) * 64))) {
        if (!data_) throw std::bad_alloc();
    }
    Buffer(const Buffer&) = delete;
    ~Buffer() { ::free(data_); }
    operator T*() const { return data_; }

  private:
    T* data_;
};

template <class Real>
uint32_t most_outputs(const Task<Real>& task) {
    switch (task.objective.objective) {
        case Objective::softmax:
            return task.text.vocabulary;
        case Objective::hierarchical_softmax:
            return task.objective.tree.longest;
        default:
            return task.objective.noise.draws + 1;
    }
}

template <class Real, class Rule>
class Learner {
  public:
    Learner(const Task<Real>& task, const Epoch& epoch, Counters& counters)
        : Learner(task, epoch, counters, 2 * uint64_t(task.context.window), most_outputs(task)) {}

    void run() {
        const Order order(task_.text.tokens, epoch_);
        while (told() == go_on) {
            const uint64_t turn = __atomic_fetch_add(epoch_.next_block, 1, __ATOMIC_RELAXED);
            if (turn >= order.blocks) return;
            learn_block(turn, order.block(turn));
        }
    }

  private:
    struct Pending {
        Buffer<uint32_t> input_ids, output_ids;
        Buffer<int> ends;
        Buffer<Real*> rows;
        Buffer<Real> signs, shifts;
        Prediction prediction;
        Outputs<Real> outputs;

        Pending(uint64_t inputs, uint64_t most)
            : input_ids(inputs),
              output_ids(most),
              ends(inputs),
              rows(most),
              signs(most + lanes<Real>),
              shifts(most),
              prediction{0, 0, input_ids, ends},
              outputs{output_ids, rows, signs, shifts, 0} {}
    };

    Learner(const Task<Real>& task, const Epoch& epoch, Counters& counters, uint64_t inputs, uint64_t outputs)
        : task_(task),
          epoch_(epoch),
          counters_(counters),
          pending_{{inputs, outputs}, {inputs, outputs}},
          words_(block_tokens + inputs),
          hidden_(inputs),
          combined_(task.weights.stride),
          errors_(inputs * task.weights.stride),
          scores_(together * outputs + lanes<Real>),
          signs_(together * outputs + lanes<Real>) {}

    int32_t told() const { return __atomic_load_n(epoch_.stop, __ATOMIC_RELAXED); }

    bool stopped() const { return told() == leave_at_once; }

    void learn_block(uint64_t turn, uint64_t block) {
        const Text& text = task_.text;
        uint64_t begin = block * block_tokens;
        const uint64_t end = begin + block_tokens < text.tokens ? begin + block_tokens : text.tokens;
        uint64_t passed = turn * block_tokens;
        const uint64_t survival = stream_key(epoch_.seed, epoch_.number, 0);
        Random random(stream_key(epoch_.seed, epoch_.number, block + 1));
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
            learn_stretch(stretch, random);
            passed += to - begin;
            counted_ += to - begin;
            begin = to;
        }
        learn_pending();
        publish();
    }

    uint64_t sentence_of(uint64_t token) const {  // the last sentence that begins at or before it
        uint64_t low = 0, high = task_.text.sentences;
        while (high - low > 1) {
            const uint64_t middle = low + (high - low) / 2;
            (task_.text.offsets[middle] <= token ? low : high) = middle;
        }
        return low;
    }

    // Output rows are picked and fetched from memory for one prediction while the one before is computed.
    void learn_stretch(const Stretch& stretch, Random& random) {
        const Weights<Real>& weights = task_.weights;
        for (int at = stretch.begin; at < stretch.end; ++at) {
            const int ahead = at + int(task_.context.window) + 1;
            if (ahead < stretch.size)
                prefetch(weights.input + uint64_t(stretch.ids[ahead]) * weights.stride, weights.stride);
            Pending& next = pending_[turn_];
            emit(task_.context, stretch, at, random, next.prediction);
            if (next.prediction.hidden == 0) continue;
            next.outputs.count = 0;
            Rule::pick(task_, next.prediction.target, random, next.outputs);
            for (int k = 0; k < next.outputs.count && k < 64; ++k) prefetch(next.outputs.rows[k], weights.stride);
            learn_pending();
            waiting_ = &next;
            turn_ ^= 1;
            if (stopped()) return;
        }
    }

    void learn_pending() {
        if (waiting_) learn(waiting_->prediction, waiting_->outputs);
        waiting_ = nullptr;
    }

    void learn(const Prediction& prediction, const Outputs<Real>& outputs) {
        combine(prediction);
        for (int c = 0; c < prediction.hidden; c += together) {
            const int left = prediction.hidden - c;
            learn(hidden_ + c, left < together ? left : together, outputs, errors_ + c * task_.weights.stride);
        }
        if (outputs.count > 0) adjoint(prediction);
        predictions_ += uint64_t(prediction.hidden);
    }

    void learn(const Real* const* h, int hidden, const Outputs<Real>& outputs, Real* errors) {
        const int width = int(task_.weights.stride) / lanes<Real>, m = outputs.count;
        for (int c = 0; c < hidden; ++c)
            for_tiles(m, [&]<int T>(int k) { dots<T>(h[c], outputs.rows + k, width, scores_ + c * m + k); });
        link(hidden, outputs);
        for_tiles(
            m, [&]<int T>(int k) { step<T>(h, hidden, outputs.rows + k, scores_ + k, m, errors, width, k == 0); });
    }

    // Scores become steps, in place.
    FIRTH_HOGWILD void link(int hidden, const Outputs<Real>& outputs) {
        const int m = outputs.count;
        if constexpr (Rule::biased) {
            for (int k = 0; k < m; ++k) {
                const uint32_t id = outputs.ids[k];
                outputs.shifts[k] = task_.weights.bias[id] - Real(task_.objective.noise.log_expected[id]);
            }
            for (int c = 0; c < hidden; ++c)
                for (int k = 0; k < m; ++k) scores_[c * m + k] += outputs.shifts[k];
        }
        if constexpr (Rule::link == Link::logistic) {
            for (int c = 0; c < hidden; ++c)
                for (int k = 0; k < m; k += lanes<Real>)
                    *(Loose<Real>*)(signs_ + c * m + k) = *(const Loose<Real>*)(outputs.signs + k);
            logistic_link<Real>(scores_, signs_, hidden * m, rate_, likelihood_);
        } else {
            for (int c = 0; c < hidden; ++c)
                log_likelihood_ += softmax_link(scores_ + c * m, outputs.signs, m, rate_);
        }
        if constexpr (Rule::biased)
            for (int c = 0; c < hidden; ++c)
                for (int k = 0; k < m; ++k) task_.weights.bias[outputs.ids[k]] += scores_[c * m + k];
    }

    Real share(int rows) const { return task_.context.mean ? Real(1) / Real(rows) : Real(1); }

    Real* input(uint32_t id) const { return task_.weights.input + uint64_t(id) * task_.weights.stride; }

    // h_c = the mean or the sum of the rows of group c; a group of one row is that row, where it lies.
    FIRTH_HOGWILD void combine(const Prediction& prediction) {
        if (prediction.ends[0] == 1) {
            for (int c = 0; c < prediction.hidden; ++c) hidden_[c] = input(prediction.ids[c]);
            return;
        }
        const int width = int(task_.weights.stride) / lanes<Real>, rows = prediction.ends[0];
        const Real scale = share(rows);
        for (int v = 0; v < width; ++v) {
            Vector<Real> sum = {};
            for (int i = 0; i < rows; ++i) sum += vectors(input(prediction.ids[i]))[v];
            vectors<Real>(combined_)[v] = sum * scale;
        }
        hidden_[0] = combined_;
    }

    // The transpose of combine: each row of group c moves by its share of e_c.
    FIRTH_HOGWILD void adjoint(const Prediction& prediction) {
        const int width = int(task_.weights.stride) / lanes<Real>;
        const uint8_t* frozen = task_.weights.frozen;
        for (int c = 0, i = 0; c < prediction.hidden; ++c) {
            const Real scale = task_.context.exact ? share(prediction.ends[c] - i) : Real(1);
            const Vector<Real>* error = vectors<Real>(errors_ + c * task_.weights.stride);
            for (; i < prediction.ends[c]; ++i) {
                if (frozen && frozen[prediction.ids[i]]) continue;
                for (int v = 0; v < width; ++v) vectors(input(prediction.ids[i]))[v] += scale * error[v];
            }
        }
    }

    void publish() {
        __atomic_store_n(&counters_.tokens, counters_.tokens + counted_, __ATOMIC_RELAXED);
        __atomic_store_n(&counters_.predictions, counters_.predictions + predictions_, __ATOMIC_RELAXED);
        double loss = counters_.loss - log_likelihood_ - likelihood_.logarithm();
        __atomic_store(&counters_.loss, &loss, __ATOMIC_RELAXED);
        counted_ = predictions_ = 0;
        log_likelihood_ = 0;
        likelihood_ = LogProduct<Real>();
    }

    const Task<Real>& task_;
    const Epoch& epoch_;
    Counters& counters_;
    Pending pending_[2];
    Pending* waiting_ = nullptr;
    int turn_ = 0;
    Buffer<uint32_t> words_;
    Buffer<Real*> hidden_;
    Buffer<Real> combined_, errors_, scores_, signs_;
    Real rate_ = 0;
    LogProduct<Real> likelihood_;
    double log_likelihood_ = 0;
    uint64_t counted_ = 0, predictions_ = 0;
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
