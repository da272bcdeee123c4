// A thread's own copies of rows that other threads move, too.
//
// Rows that all threads want, like those near the root of a tree, would travel from core to core with every
// prediction; and what becomes of a row that two threads move depends on who comes first. So a thread may learn on
// copies of its own, which it keeps, or makes in each round of rows that are to come, and bring home how far they
// have moved.
#pragma once
#include <cmath>

#include "marks.hpp"
#include "random.hpp"
#include "rows.hpp"

namespace firth {
namespace FIRTH_ISA {

// How much of its move a row is to make when `parts` threads have each moved a copy of it. Say that x is how far a
// copy has come on its way to where it belongs, by many small pulls: 1 - exp(-x). Then all of them one after
// another would take the row 1 - exp(-parts x) of the way, where the sum of the moves takes it parts (1 -
// exp(-x)): too far. The quotient is 1 for rows that are seldom moved, and makes the mean of those that all move
// all the time.
inline double share_of_move(double x, uint32_t parts) {
    return parts == 1 || x < 1e-9 ? 1 : ::expm1(-x * parts) / (parts * ::expm1(-x));
}

// The rows that a thread keeps copies of, by how much they are wanted: those of the first tier are exchanged each
// time, those up to four times as many a fourth as often, and so on.
struct Tier {
    uint64_t begin = 0, end = 64, period = 1;
    void next() { begin = end, end *= 4, period *= 4; }
};

// As many of `rows` as are worth it where there are so many times to exchange them: each should be 64 times.
inline uint64_t worth_keeping(uint64_t rows, uint64_t times) {
    Tier tier;
    while (tier.begin < rows && times >= 64 * tier.period) tier.next();
    return least_of(tier.begin, rows);
}

constexpr uint32_t ahead = 8;     // so many rows further on are fetched from memory
constexpr int taken_at_once = 8;  // rows

// The moves of copies on their way to the rows themselves, where they arrive in the order in which they were sent.
template <class Real>
class Homeward {
  public:
    explicit Homeward(uint32_t stride) : stride_(stride), moves_(room) {}

    void send(Real* row, const Real* by, bool wanted) {  // no branch to mispredict
        if (count_ == room) arrive();
        moves_[count_] = {row, by};
        count_ += wanted;
    }

    FIRTH_HOGWILD void arrive() {
        for (uint32_t i = 0; i < count_; ++i) {
            if (i + ahead < count_) {
                prefetch<true>(moves_[i + ahead].row, stride_);
                prefetch<false>(moves_[i + ahead].by, stride_);
            }
            for (uint32_t j = 0; j < stride_; ++j) moves_[i].row[j] += moves_[i].by[j];
        }
        count_ = 0;
    }

  private:
    static constexpr uint32_t room = 1024;
    struct Move {
        Real* row;
        const Real* by;
    };
    const uint32_t stride_;
    uint32_t count_ = 0;
    Buffer<Move> moves_;
};

template <class Real>
class Copies {
  public:
    double pull = 0;  // how far a single move takes a row to where it belongs

    // Of rows of `stride` numbers, copies are kept of those with an id below `kept`; the others are used where
    // they lie.
    Copies(Real* home, uint32_t stride, uint64_t kept) : Copies(home, stride, 0, kept, nullptr) {}

    // Of so many rows copies are made of those in `shared`, once it is known that they are wanted, at most so
    // many.
    Copies(Real* home, uint32_t stride, uint64_t rows, uint64_t most, const Marks& shared)
        : Copies(home, stride, rows, most, &shared) {}

    // Those kept bring home how far they have moved since, and take up what others have brought; of each tier
    // those whose turn it is,
    void exchange(uint64_t turn, uint32_t parts) {
        for (Tier tier; tier.begin < most_; tier.next())
            exchange(tier.begin + turn % tier.period, least_of(tier.end, most_), tier.period, parts);
    }
    // or all: before the first is moved, and after the last.
    void exchange_all(uint32_t parts) { exchange(0, most_, 1, parts); }

    // The places of the rows of so many ids: where none are shared the ids themselves, else behind those of all
    // rows those of the copies, which are to be made before they are used. Both may be the same array.
    void locate(const uint32_t* ids, int count, uint32_t* places) {
        if (!shared_) return;
        for (int i = 0; i < count; ++i) places[i] = ids[i];
        const auto wanted = [&](uint32_t i) { return shared_->has(ids[i]); };
        sort_out(uint32_t(count), wanted, [&](uint32_t i) { places[i] = first_ + copy(ids[i]); });
    }
    uint32_t id(uint32_t place) const { return place - first_ < most_ && shared_ ? ids_[place - first_] : place; }

    // The rows at so many places, each of which will be moved so many times. Both arrays have room for a full
    // step: numbers that differ from call to call would be mispredicted.
    void take(const uint32_t* places, int count, uint32_t times, Real** rows) {
        if (shared_) return take_shared(places, count, times, rows);
        const uint64_t row = stride_ * sizeof(Real), own = uint64_t(+own_), home = uint64_t(home_);
        const uint32_t most = most_;
        for (int i = 0; i < count; i += taken_at_once)
            for (int j = i; j < i + taken_at_once; ++j)
                rows[j] = (Real*)((places[j] < most ? own : home) + places[j] * row);
        for (int i = 0; i < count && most > 0; ++i) moves_[least_of(places[i], most)] += times;
    }
    // One that was taken will be moved so many times more.
    bool counts() const { return shared_; }
    void moved(uint32_t place, int times) { moves_[least_of(place - first_, most_)] += uint32_t(times); }
    void make() {
        if (made_ < count_) make_shared();
    }

    // The row at this place, before it is taken: to be fetched from memory.
    Real* expected(uint32_t place) const {
        const uint32_t copy = place - first_;
        return copy < most_ ? own(copy) : home(place);
    }

    // The row, which will be moved so many times.
    Real* row(uint32_t id, uint32_t times) {
        locate(&id, 1, &id), moved(id, int(times)), make();
        return expected(id);
    }

    // How far each row is to move takes the place of its copy. What another thread than this one brings home is
    // put where that will read it, past the caches of this, which else would have to take these lines back each
    // time.
    FIRTH_HOGWILD void measure(uint32_t parts, uint32_t thread, uint32_t threads) {
        measurer_ = thread;
        for (uint32_t i = 0; i < made_; ++i) {
            if (i + ahead < made_) prefetch<false>(home(ids_[i + ahead]), stride_);
            Real *const own = this->own(i), *const row = home(ids_[i]);
            const Real part = Real(share_of_move(pull * moves_[i], parts));
            for (uint32_t j = 0; j < stride_; ++j) own[j] = part * (own[j] - row[j]);
            if (!brings_home(thread, threads, ids_[i])) store_past_caches(own, stride_, sent(i));
        }
    }

    // Then they move home. What is read of others is expected first.
    void expect() const {
        __builtin_prefetch(&made_);
        for (uint32_t i = 0; i < 64; i += 16) __builtin_prefetch(ids_ + i);
    }
    void send_home(uint32_t thread, uint32_t threads, Homeward<Real>& moves) const {
        for (uint32_t i = 0; i < made_; ++i)
            moves.send(home(ids_[i]), thread == measurer_ ? own(i) : sent(i),
                       brings_home(thread, threads, ids_[i]));
    }

    void forget() {
        for (uint32_t i = 0; i < count_; ++i) table_[slots_[i]] = 0, moves_[i] = 0;
        count_ = made_ = 0;
    }

  private:
    Copies(Real* home, uint32_t stride, uint64_t first, uint64_t most, const Marks* shared)
        : home_(home),
          stride_(stride),
          first_(uint32_t(first)),
          most_(uint32_t(most)),
          shared_(shared),
          mask_(power_of_two(shared ? 2 * most : 0) - 1),
          table_(mask_ + 1),
          ids_(most),
          moves_(most + spare),
          slots_(most),
          own_(most * stride),
          before_(most * stride) {
        for (uint64_t i = 0; i <= mask_; ++i) table_[i] = 0;
        for (uint64_t i = 0; i < most + spare; ++i) moves_[i] = 0;
    }

    static constexpr uint32_t spare = 32;  // numbers for what is no copy

    static bool brings_home(uint32_t thread, uint32_t threads, uint32_t id) { return id % threads == thread; }

    // Calls body(i) for those of 0...count that are wanted: which is hard to foretell, so they are sorted out
    // first, some at a time, without a branch to mispredict.
    template <class Wanted, class Body>
    static void sort_out(uint32_t count, Wanted wanted, Body body) {
        constexpr uint32_t some = 256;
        uint32_t sorted[some];
        for (uint32_t from = 0; from < count; from += some) {
            uint32_t found = 0;
            for (uint32_t i = from; i < from + some && i < count; ++i) {
                sorted[found] = i;
                found += wanted(i);
            }
            for (uint32_t f = 0; f < found; ++f) body(sorted[f]);
        }
    }

    Real* home(uint32_t id) const { return home_ + uint64_t(id) * stride_; }
    Real* own(uint32_t copy) const { return own_ + uint64_t(copy) * stride_; }
    Real* sent(uint32_t copy) const { return before_ + uint64_t(copy) * stride_; }

    // Apart from the above for the sake of those that race.
    __attribute__((noinline)) void take_shared(const uint32_t* places, int count, uint32_t times, Real** rows) {
        const uint32_t first = first_, most = most_;
        const uint64_t row = stride_ * sizeof(Real), bases[] = {uint64_t(home_), uint64_t(own(0)) - first * row};
        uint32_t* const moves = moves_;
        for (int i = 0; i < count; ++i) {  // no branch to mispredict, nor a chain of sums for what is no copy
            const uint32_t copy = places[i] - first, counted = copy < most ? copy : most + uint32_t(i) % spare;
            rows[i] = (Real*)(bases[copy < most] + places[i] * row);
            moves[counted] += times;
        }
    }

    __attribute__((noinline)) FIRTH_HOGWILD void make_shared() {
        for (; made_ < count_; ++made_)
            for (uint32_t j = 0; j < stride_; ++j) own(made_)[j] = home(ids_[made_])[j];
    }

    // The copy of the row of this id, which the table knows or learns. The factor is odd: as many ids in a row as
    // the table has slots do not collide.
    uint32_t copy(uint32_t id) {
        uint64_t at = id * uint64_t(0x9e3779b1) & mask_;
        while (table_[at] && ids_[table_[at] - 1] != id) at = (at + 1) & mask_;
        if (!table_[at]) {
            ids_[count_] = id, slots_[count_] = uint32_t(at);
            prefetch<false>(home(id), stride_), prefetch<true>(own(count_), stride_);
            table_[at] = ++count_;
        }
        return table_[at] - 1;
    }

    FIRTH_HOGWILD void exchange(uint64_t from, uint64_t to, uint64_t step, uint32_t parts) {
        const auto at = [&](Real* rows, uint64_t id) { return rows + id * stride_; };
        for (uint64_t id = from; id < to; id += step) {
            if (const uint64_t coming = id + ahead * step; coming < to) {
                prefetch<true>(at(home_, coming), stride_);
                prefetch<true>(at(own_, coming), stride_);
                prefetch<true>(at(before_, coming), stride_);
            }
            Real *const row = at(home_, id), *const own = at(own_, id), *const before = at(before_, id);
            uint32_t& moves = moves_[id];
            const Real part = Real(share_of_move(pull * moves, parts));
            for (uint32_t j = 0; j < stride_ && moves; ++j) row[j] += part * (own[j] - before[j]);
            for (uint32_t j = 0; j < stride_; ++j) own[j] = before[j] = row[j];
            moves = 0;
        }
    }

    Real* home_;
    uint32_t stride_, first_, most_;  // the place of the first copy, and of how many
    uint32_t count_ = 0, made_ = 0;   // copies that have a place, and that were made
    uint32_t measurer_ = 0;           // the thread that measured them
    const Marks* shared_;
    uint64_t mask_;
    Buffer<uint32_t> table_;                // numbers of copies + 1, 0: empty; at most half full, probed linearly
    Buffer<uint32_t> ids_, moves_, slots_;  // of each copy
    // Where those kept were when they were exchanged; how far those made are to move, for other threads to read.
    Buffer<Real> own_, before_;
};

}  // namespace FIRTH_ISA
}  // namespace firth
