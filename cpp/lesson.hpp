// One prediction being learnt: the rows that it concerns, and the two dense products around the objective's link.
#pragma once
#include "context.hpp"
#include "copies.hpp"
#include "objective.hpp"

namespace firth {
namespace FIRTH_ISA {

// What has been learnt.
template <class Real>
struct Tally {
    uint64_t tokens = 0, predictions = 0;
    LogProduct<Real> likelihood = {};
    double log_likelihood = 0;

    double loss() const { return -log_likelihood - likelihood.logarithm(); }
};

// The matrices as those see them who learn a block.
template <class Real>
struct Part {
    Copies<Real> input, output, bias;
    Tally<Real> tally = {};

    // A logistic regression's step along h pulls its row by rate * p(1 - p) |h|^2 along that one of dim
    // directions, and p(1 - p) is 1/4 at most; taken twice, since rows do not lie evenly in all directions.
    void pull(double rate, double hidden_square, double output_square) {
        input.pull = rate / 2 * output_square, output.pull = rate / 2 * hidden_square, bias.pull = rate / 4;
    }
    // Where the input rows of a stretch lie: they are looked up once for all the windows around them.
    void locate(const Stretch& stretch) {
        input.locate(stretch.ids, stretch.size, stretch.inputs);
        const int begin = stretch.begin;
        if (stretch.located()) output.locate(stretch.ids + begin, stretch.end - begin, stretch.outputs + begin);
    }
    void measure(uint32_t parts, uint32_t thread, uint32_t threads) {
        input.measure(parts, thread, threads), output.measure(parts, thread, threads);
        bias.measure(parts, thread, threads);
        past_caches_in_order();
    }
    void expect() const { input.expect(), output.expect(), bias.expect(); }
    void send_home(uint32_t thread, uint32_t threads, Homeward<Real>& rows, Homeward<Real>& biases) const {
        input.send_home(thread, threads, rows), output.send_home(thread, threads, rows);
        bias.send_home(thread, threads, biases);
    }
    void forget() { input.forget(), output.forget(), bias.forget(); }
};

template <class Real, class Rule>
class Lesson {
  public:
    // With room for so many input rows and output rows. All numbers of `zeros` are and stay zero.
    Lesson(const Task<Real>& task, uint64_t inputs, uint64_t outputs, Real* zeros)
        : task_(task),
          zeros_(zeros),
          input_places_(inputs),
          output_ids_(outputs),
          ends_(inputs),
          rows_(2 + outputs + tile<Real>),
          input_rows_(inputs),
          errors_(inputs),
          signs_(2 * (outputs + lanes<Real>)),
          shifts_(outputs + lanes<Real>),
          scores_(2 * (outputs + lanes<Real>)),
          combined_rows_(2 * task.weights.stride),
          moves_(inputs * task.weights.stride),
          prediction_{{}, 1, 0, input_places_, ends_},
          outputs_{output_ids_, rows_ + 2, signs_, shifts_, 0},
          combined_{combined_rows_, combined_rows_ + task.weights.stride} {
        rows_[0] = combined_[0];
        for (uint64_t c = 0; c < inputs; ++c) {
            ends_[c] = int(c + 1);
            errors_[c] = moves_ + c * task.weights.stride;
        }
    }

    // Take up the prediction at a position, or those of two. It is finished at once if there is nothing to learn.
    void prepare(const Stretch& stretch, int at, int second, Random& random, Draws& draws) {
        emit(task_.context, stretch, at, second, random, prediction_);
        learnt_ = 0;
        if (prediction_.hidden == 0) return;
        Outputs<Real> picked = outputs_;  // whose count is in a register while it grows
        picked.count = 0;
        to_ask_ = 2 + Rule::pick(task_, prediction_, draws, picked);
        outputs_.count = picked.count;
        Loose<Real>* const behind = (Loose<Real>*)(outputs_.signs + 2 * picked.count);
        behind[0] = behind[1] = Loose<Real>{};  // as far as vectors of scores may reach
    }

    // Where its output rows lie, which are to be asked for, behind at most two input rows. Behind them come zeros.
    void locate(Part<Real>& part, bool located) {
        if (!located) part.output.locate(outputs_.ids, outputs_.count, outputs_.ids);
        part.output.take(outputs_.ids, outputs_.count, uint32_t(prediction_.hidden), outputs_.rows);
        for (int k = 0; k < tile<Real> && Rule::varied; ++k) outputs_.rows[outputs_.count + k] = zeros_;
        asked_ = 2;
    }
    void expect(const Part<Real>& part, uint32_t place) { rows_[--asked_] = part.input.expected(place); }

    // A row that is to be asked for, or the last again.
    const Real* ahead() { return rows_[asked_ < to_ask_ ? asked_++ : asked_ - 1]; }

    // Ask for all that are left.
    void ask() {
        for (; asked_ < to_ask_; ++asked_) prefetch<true>(rows_[asked_], task_.weights.stride);
    }

    // The rows, and h_c: the mean or the sum of the rows of group c; if each has but one row it is that row, where
    // it lies.
    FIRTH_HOGWILD void begin(Part<Real>& part) {
        const int inputs = prediction_.ends[prediction_.hidden - 1];
        const bool alone = inputs == prediction_.hidden;
        const int moves = outputs_.count > 0 ? outputs_.count : 1;
        part.input.take(prediction_.places, inputs, uint32_t(moves), input_rows_);
        part.input.make(), part.output.make();
        direct_ = alone && !task_.weights.frozen;  // what goes back to a row alone is added with the last tile
        hidden_ = alone ? (Real**)input_rows_ : combined_;
        for (int c = 0; c < prediction_.hidden && !alone; ++c) combine(c);
        for (int i = 0; i < inputs && task_.weights.frozen; ++i)
            prediction_.places[i] = part.input.id(prediction_.places[i]);
    }

    bool finished() const { return learnt_ == prediction_.hidden; }

    // Whether one of the hidden rows that come next is among those of the other lesson.
    bool has_hidden_row_of(const Lesson& other) const {
        bool found = false;
        for (int c = learnt_; c < learnt_ + 2 && c < prediction_.hidden; ++c)
            for (int d = other.learnt_; d < other.learnt_ + 2 && d < other.prediction_.hidden; ++d)
                found |= hidden_[c] == other.hidden_[d];
        return found;
    }

    // The mean square of the numbers in its hidden rows, and in its output rows.
    double hidden_square() const { return square(hidden_, prediction_.hidden); }
    double output_square() const { return square(outputs_.rows, outputs_.count); }

    // The three steps in which the next one or two hidden rows are learnt, called in turn. More rows at a time
    // would share the loading and storing of output rows; but none sees what the others teach these, and with all
    // ten of a window at once analogies lose half a point.
    void score(Lesson& next_one) {
        next([&]<int H>() {
            for_outputs([&]<int T>(int k) {
                const auto sums = dots<H, T>(hidden_ + learnt_, outputs_.rows + k, width(), next_one.ahead());
                *(Loose<Real>*)(scores_ + H * k) = sums;  // what is behind them gives way to the next tile's
            });
        });
    }

    void link(Part<Real>& part, Real rate) {
        next([&]<int H>() {
            if constexpr (Rule::biased) shift<H>(part);
            if constexpr (Rule::link == Link::logistic)
                logistic_link<H>(vectors<Real>(scores_), outputs_, rate, part.tally.likelihood);
            else
                part.tally.log_likelihood += softmax_link<H>(vectors<Real>(scores_), outputs_, rate);
            if constexpr (Rule::biased) move_biases<H>(part);
            part.tally.predictions += H;
        });
    }

    void move(Lesson& next_one) {
        next([&]<int H>() {
            step<H>(next_one);
            for (int c = learnt_; c < learnt_ + H && !direct_; ++c) adjoint(c);
            learnt_ += H;
        });
    }

  private:
    template <class Body>
    void next(Body body) {
        const int left = prediction_.hidden - learnt_;
        if (left >= 2)
            body.template operator()<2>();
        else if (left == 1)
            body.template operator()<1>();
    }

    // Where numbers of rows vary they are made up to half tiles with zeros: a branch for each would be
    // mispredicted.
    template <class Body>
    void for_outputs(Body body) {
        constexpr int by = Rule::varied ? (tile<Real> + 1) / 2 : 1;
        for_tiles<tile<Real>, by>((outputs_.count + by - 1) / by * by, body);
    }

    // As many rows of the next lesson are asked for as must be, where all are to be in all steps that are left.
    template <int H>
    void step(Lesson& next_one) {
        const int steps = (prediction_.hidden - learnt_ + 1) / 2;
        const int asked = (next_one.to_ask_ - next_one.asked_ + steps - 1) / steps;
        for_tiles<breadth / H>(width(), [&]<int T>(int v) {
            FIRTH_ISA::step<H, T>(hidden_ + learnt_, outputs_.rows, outputs_.count, v, (const Real*)scores_,
                                  (direct_ ? hidden_ : (Real**)errors_) + learnt_, direct_,
                                  next_one.rows_ + next_one.asked_, asked);
        });
        next_one.asked_ += int(least_of(asked, outputs_.count));
    }

    FIRTH_HOGWILD double square(const Real* const* rows, int count) const {
        Vector<Real> squares = {};
        for (int i = 0; i < count; ++i)
            for (int v = 0; v < width(); ++v) squares += vectors(rows[i])[v] * vectors(rows[i])[v];
        double sum = 0;
        for (int i = 0; i < lanes<Real>; ++i) sum += double(squares[i]);
        return count ? sum / (double(count) * task_.weights.stride) : 0;
    }

    int width() const { return int(task_.weights.stride) / lanes<Real>; }

    Real share(int rows) const { return task_.context.mean ? Real(1) / Real(rows) : Real(1); }

    int begin_of(int c) const { return c ? prediction_.ends[c - 1] : 0; }

    void combine(int c) {
        const int begin = begin_of(c), rows = prediction_.ends[c] - begin;
        for_tiles<tile<Real>>(width(), [&]<int T>(int v) {
            add_rows<T, Real>(input_rows_ + begin, rows, v, share(rows), combined_[c]);
        });
    }

    // The transpose of combine: each row of group c moves by its share of e_c.
    void adjoint(int c) {
        const int begin = begin_of(c), end = prediction_.ends[c];
        const Real scale = task_.context.exact ? share(end - begin) : Real(1);
        Real** const rows = input_rows_ + begin;
        int moved = end - begin;
        if (const uint8_t* const frozen = task_.weights.frozen) {
            moved = 0;
            for (int i = begin; i < end; ++i)
                if (!frozen[prediction_.places[i]]) rows[moved++] = input_rows_[i];
        }
        for_tiles<tile<Real>>(width(),
                              [&]<int T>(int v) { add_to_rows<T, Real>(rows, moved, v, scale, errors_[c]); });
    }

    template <int H>
    FIRTH_HOGWILD void shift(Part<Real>& part) {
        for (int k = 0; k < outputs_.count; ++k) {
            const uint32_t id = part.output.id(outputs_.ids[k]);
            outputs_.shifts[k] = *part.bias.row(id, H) - Real(task_.objective.noise.log_expected[id]);
        }
        constexpr int rows = scored<H, Real>;
        for (int k = 0; k < outputs_.count; k += rows)
            vectors<Real>(scores_)[k / rows] += repeated<H>(outputs_.shifts + k);
    }

    template <int H>
    FIRTH_HOGWILD void move_biases(Part<Real>& part) {
        for (int k = 0; k < outputs_.count; ++k) {
            Real& bias = *part.bias.row(part.output.id(outputs_.ids[k]), 0);
            for (int c = 0; c < H; ++c) bias += scores_[k * H + c];
        }
    }

    const Task<Real>& task_;
    Real* const zeros_;
    Buffer<uint32_t> input_places_, output_ids_;
    Buffer<int> ends_;
    Buffer<Real*> rows_, input_rows_, errors_;
    Buffer<Real> signs_, shifts_, scores_, combined_rows_, moves_;
    Prediction prediction_;
    Outputs<Real> outputs_;
    Real *combined_[2], **hidden_ = nullptr;
    int learnt_ = 0;              // hidden rows
    int asked_ = 1, to_ask_ = 1;  // of the rows that are to be asked for
    bool direct_ = false;
};

}  // namespace FIRTH_ISA
}  // namespace firth
