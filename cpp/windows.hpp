// CBOW's hidden rows: each the sum or the mean of the input rows in a window; and the adjoint of that, by how much
// these move.
//
// The sum of a window is the difference of two running sums, less the word in its middle: one pass over the rows,
// however wide the windows, and no loop of random length. So the hidden rows of a run of positions are made at
// once, before the first of them is learnt, and the input rows move when the last has been.
#pragma once
#include "context.hpp"
#include "copies.hpp"

namespace firth {
namespace FIRTH_ISA {

template <class Real>
class Windows {
  public:
    // A run is so short that few words of a vocabulary come again and again in it: none of its hidden rows sees
    // what the others teach the input rows.
    static int run(uint64_t vocabulary) { return int(most_of(least_of(vocabulary / 16, 64), 1)); }

    explicit Windows(const Task<Real>& task)
        : Windows(task, run(task.text.vocabulary), 2 * uint64_t(task.context.window)) {}

    int size() const { return size_; }
    int room() const { return most_ - size_; }

    // Append the positions of a stretch from `begin` to `end`. Only before the first of a run and behind its last
    // may there be words of their sentences that do not belong to it.
    void add(const Stretch& stretch, int begin, int end, Random& random, Copies<Real>& input) {
        const int reach = int(context_.window), from = begin > reach ? begin - reach : 0;
        const int to = end + reach < stretch.size ? end + reach : stretch.size;
        const int shift = count_ - from;  // from places in the stretch to rows
        if (size_ == 0) lead_ = begin - from;
        for (int at = begin; at < end; ++at) {
            const Window window = around(context_, stretch, at, random);
            positions_[size_++] = {
                {window.from + shift, window.to + shift}, 0, stretch.outputs[at], stretch.ids[at]};
        }
        for (int i = from; i < to; ++i) places_[i + shift] = stretch.inputs[i];
        input.take(places_ + count_, to - from, 0, rows_ + count_);
        count_ += to - from;
    }

    // Make the hidden rows.
    void gather(Copies<Real>& input) {
        input.make();
        for_tiles<breadth>(width_, [&]<int T>(int v) { combine<T>(v); });
    }

    // That of the n-th position. What it gives back, its error, comes in its place.
    Real* hidden(int n) const { return hidden_ + uint64_t(n) * width_ * lanes<Real>; }
    bool has_words(int n) const { return positions_[n].window.words() > 0; }
    uint32_t target(int n) const { return positions_[n].target; }
    uint32_t id(int n) const { return positions_[n].id; }

    // It is learnt, its error the sum of so many moves; or it is not.
    void learn(int n, int moves) { positions_[n].moves = moves; }
    void forget(int n) {
        for (int v = 0; v < width_; ++v) vectors(hidden(n))[v] = Vector<Real>{};
    }

    // Move the input rows, and begin another run.
    void scatter(Copies<Real>& input) {
        for (int i = 0; i < count_ && weights_.frozen; ++i)
            if (weights_.frozen[input.id(places_[i])]) rows_[i] = nowhere_;
        for_tiles<breadth>(width_, [&]<int T>(int v) { adjoint<T>(v); });
        if (input.counts()) count_moves(input);
        size_ = count_ = 0;
    }

  private:
    struct Position {
        Window window;  // in rows
        int moves;
        uint32_t target, id;
    };

    Windows(const Task<Real>& task, int run, uint64_t around)
        : context_(task.context),
          weights_(task.weights),
          width_(int(task.weights.stride) / lanes<Real>),
          ring_(uint32_t(power_of_two(2 * uint64_t(task.context.window) + 2)) - 1),
          most_(run),
          positions_(run),
          places_(run + around + taken_at_once),
          moves_(run + around + 1),
          rows_(run + around + taken_at_once),
          hidden_(uint64_t(run) * task.weights.stride),
          sums_((uint64_t(ring_) + 1) * breadth * lanes<Real>),
          nowhere_(task.weights.stride) {}

    // Sums stand in a ring, as many as windows reach over.
    template <int T>
    Vector<Real>* sum(int row) const {
        return vectors(+sums_) + uint64_t(uint32_t(row) & ring_) * T;
    }

    Real share(int n) const {
        return context_.mean && has_words(n) ? 1 / Real(positions_[n].window.words()) : Real(1);
    }
    Real share_of_error(int n) const { return context_.exact ? share(n) : Real(1); }

    // T vectors of each hidden row, from the v-th on.
    template <int T>
    FIRTH_HOGWILD void combine(int v) {
        Vector<Real> run[T];
        FIRTH_UNROLL for (int t = 0; t < T; ++t) sum<T>(0)[t] = run[t] = Vector<Real>{};
        int summed = 0;
        for (; summed < lead_ + int(context_.window) && summed < count_; ++summed) extend<T>(run, summed, v);
        for (int n = 0; n < size_; ++n) {
            if (summed < count_) extend<T>(run, summed++, v);
            take_difference<T>(n, v);
        }
    }

    // The sum behind a row.
    template <int T>
    FIRTH_INLINE void extend(Vector<Real> (&run)[T], int i, int v) {
        const Vector<Real>* row = vectors(rows_[i]) + v;
        Vector<Real>* sum = this->sum<T>(i + 1);
        FIRTH_FOUND(row);
        FIRTH_FOUND(sum);
        FIRTH_UNROLL for (int t = 0; t < T; ++t) sum[t] = run[t] += row[t];
    }

    template <int T>
    FIRTH_INLINE void take_difference(int n, int v) {
        const Vector<Real>*from = sum<T>(positions_[n].window.from), *to = sum<T>(positions_[n].window.to);
        const Vector<Real>* own = vectors(rows_[lead_ + n]) + v;
        Vector<Real>* row = vectors(hidden(n)) + v;
        FIRTH_FOUND(from);
        FIRTH_FOUND(to);
        FIRTH_FOUND(own);
        FIRTH_FOUND(row);
        const Real share = this->share(n);
        FIRTH_UNROLL for (int t = 0; t < T; ++t) row[t] = (to[t] - from[t] - own[t]) * share;
    }

    // Its transpose. The move of a row is a running sum, to which an error is added where its window begins, and
    // from which it is taken behind the window, and in its middle.
    template <int T>
    FIRTH_HOGWILD void adjoint(int v) {
        Vector<Real> run[T];
        FIRTH_UNROLL for (int t = 0; t < T; ++t) run[t] = Vector<Real>{};
        for (uint32_t i = 0; i <= ring_; ++i)
            FIRTH_UNROLL for (int t = 0; t < T; ++t) sum<T>(int(i))[t] = Vector<Real>{};
        int moved = 0;
        for (int n = 0; n < size_; ++n) {
            add_difference<T>(n, v);
            if (lead_ + n >= int(context_.window)) move<T>(run, moved++, v);
        }
        while (moved < count_) move<T>(run, moved++, v);
    }

    template <int T>
    FIRTH_INLINE void add_difference(int n, int v) {
        Vector<Real>*from = sum<T>(positions_[n].window.from), *to = sum<T>(positions_[n].window.to);
        const Vector<Real>* error = vectors(hidden(n)) + v;
        FIRTH_FOUND(from);
        FIRTH_FOUND(to);
        FIRTH_FOUND(error);
        const Real share = share_of_error(n);
        FIRTH_UNROLL for (int t = 0; t < T; ++t) {
            const Vector<Real> move = error[t] * share;
            from[t] += move, to[t] -= move;
        }
    }

    template <int T>
    FIRTH_INLINE void move(Vector<Real> (&run)[T], int i, int v) {
        Vector<Real>*row = vectors(rows_[i]) + v, *sum = this->sum<T>(i);
        FIRTH_FOUND(row);
        FIRTH_FOUND(sum);
        FIRTH_UNROLL for (int t = 0; t < T; ++t) run[t] += sum[t], sum[t] = Vector<Real>{};
        if (const int n = i - lead_; n < 0 || n >= size_) {
            FIRTH_UNROLL for (int t = 0; t < T; ++t) row[t] += run[t];
        } else {
            const Vector<Real>* error = vectors(hidden(n)) + v;
            FIRTH_FOUND(error);
            const Real share = share_of_error(n);
            FIRTH_UNROLL for (int t = 0; t < T; ++t) row[t] += run[t] - error[t] * share;
        }
    }

    // The same of the numbers of moves.
    void count_moves(Copies<Real>& input) {
        for (int i = 0; i <= count_; ++i) moves_[i] = 0;
        for (int n = 0; n < size_; ++n) {
            const Position& of = positions_[n];
            moves_[of.window.from] += of.moves, moves_[of.window.to] -= of.moves;
            input.moved(places_[lead_ + n], -of.moves);
        }
        for (int i = 0, run = 0; i < count_; ++i) input.moved(places_[i], run += moves_[i]);
    }

    const ContextSettings& context_;
    const Weights<Real>& weights_;
    const int width_;
    const uint32_t ring_;                  // sums, less one
    const int most_;                       // positions of a run
    int size_ = 0, count_ = 0, lead_ = 0;  // positions; rows in and around them, and those before the first
    Buffer<Position> positions_;
    Buffer<uint32_t> places_;
    Buffer<int> moves_;
    Buffer<Real*> rows_;
    Buffer<Real> hidden_, sums_, nowhere_;
};

}  // namespace FIRTH_ISA
}  // namespace firth
