// One prediction being learnt: the rows that it concerns, and the two dense products around the objective's link.
#pragma once
#include "context.hpp"
#include "copies.hpp"
#include "objective.hpp"
#include "windows.hpp"

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
    // With room for so many hidden rows and output rows. All numbers of `zeros` are and stay zero.
    Lesson(const Task<Real>& task, uint64_t hidden, uint64_t outputs, Real* zeros)
        : task_(task),
          zeros_(zeros),
          places_(hidden + taken_at_once),
          output_ids_(outputs + taken_at_once),
          rows_(2 + outputs + most_of(tile<Real>, taken_at_once)),
          hidden_(hidden + taken_at_once),
          errors_(hidden),
          signs_(2 * (outputs + lanes<Real>)),
          shifts_(outputs + lanes<Real>),
          scores_(2 * (outputs + lanes<Real>)),
          nowhere_(task.weights.stride),
          outputs_{output_ids_, rows_ + 2, signs_, shifts_, 0} {
        rows_[0] = zeros_;
    }

    // Take up the prediction at a position of a stretch, where each word around it is a hidden row, which moves
    // where it lies. It is finished at once if there is nothing to learn.
    void prepare(const Stretch& stretch, int at, Random& random, Draws& draws) {
        const int count = surround(task_.context, stretch, at, random, places_);
        prediction_ = {{stretch.outputs[at], stretch.outputs[at]}, 1, count};
        direct_ = true;
        pick(draws);
    }

    // Or the prediction at a position of a run, and that at another, if there is one, whose hidden rows are made.
    // A word without context has none.
    void prepare(Windows<Real>& windows, int one, int other, Draws& draws) {
        int learnt[2] = {one, other}, count = 0;
        for (const int n : {one, other})
            if (n < windows.size()) {
                learnt[count] = n;
                hidden_[count] = windows.hidden(n);
                windows.has_words(n) ? void(++count) : windows.forget(n);
            }
        prediction_ = {{windows.target(learnt[0]), windows.target(learnt[count > 1])}, count, count};
        direct_ = false;
        pick(draws);
        for (int c = 0; c < count; ++c) windows.learn(learnt[c], outputs_.count);
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

    // The rows themselves.
    void begin(Part<Real>& part) {
        part.output.make();
        if (!direct_) return;
        const int moves = outputs_.count > 0 ? outputs_.count : 1;
        part.input.take(places_, prediction_.hidden, uint32_t(moves), hidden_);
        part.input.make();
        const uint8_t* const frozen = task_.weights.frozen;
        for (int c = 0; c < prediction_.hidden && frozen; ++c)
            errors_[c] = frozen[part.input.id(places_[c])] ? +nowhere_ : hidden_[c];
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

    void pick(Draws& draws) {
        learnt_ = outputs_.count = 0;
        if (prediction_.hidden == 0) return;
        Outputs<Real> picked = outputs_;  // whose count is in a register while it grows
        to_ask_ = 2 + Rule::pick(task_, prediction_, draws, picked);
        outputs_.count = picked.count;
        Loose<Real>* const behind = (Loose<Real>*)(outputs_.signs + 2 * picked.count);
        behind[0] = behind[1] = Loose<Real>{};  // as far as vectors of scores may reach
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
        Real* const* const errors = direct_ && task_.weights.frozen ? errors_ : hidden_;
        for_tiles<breadth / H>(width(), [&]<int T>(int v) {
            FIRTH_ISA::step<H, T>(hidden_ + learnt_, outputs_.rows, outputs_.count, v, (const Real*)scores_,
                                  errors + learnt_, direct_, next_one.rows_ + next_one.asked_, asked);
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
    Buffer<uint32_t> places_, output_ids_;  // of hidden rows that are input rows; of output rows
    // To be asked for, output rows behind two others; hidden rows; where errors go if some rows are frozen.
    Buffer<Real*> rows_, hidden_, errors_;
    Buffer<Real> signs_, shifts_, scores_, nowhere_;
    Prediction prediction_ = {};
    Outputs<Real> outputs_;
    int learnt_ = 0;              // hidden rows
    int asked_ = 1, to_ask_ = 1;  // of the rows that are to be asked for
    bool direct_ = false;         // errors are added to the hidden rows, else they take their place
};

}  // namespace FIRTH_ISA
}  // namespace firth
