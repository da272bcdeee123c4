// A thread's own copies of rows that other threads move, too.
//
// Rows that all threads want, like those near the root of a tree, would travel from core to core with every
// prediction; and what becomes of a row that two threads move depends on who comes first. So a thread may learn on
// copies of its own, which it keeps, or makes in each block as rows are asked for, and bring home how far they
// have moved.
#pragma once
#include <cmath>

#include "buffer.hpp"
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

// A set of rows: a bit for each id, or, where there are many, for all that leave the same rest; so it may hold
// some rows too many.
class Marks {
  public:
    static constexpr uint64_t most = 1 << 15;  // bits

    explicit Marks(uint64_t rows) : words_(1), bits_(most / 64) {
        while (words_ < most / 64 && words_ * 64 < rows) words_ *= 2;
        clear();
    }
    void clear() {
        for (uint64_t i = 0; i < words_; ++i) bits_[i] = 0;
    }
    bool has(uint32_t id) const { return bits_[word(id)] >> id % 64 & 1; }
    void add(uint32_t id) { bits_[word(id)] |= bit(id); }
    void add(uint32_t id, Marks& again) {  // there, too, if it was here
        again.bits_[word(id)] |= bits_[word(id)] & bit(id);
        add(id);
    }

  private:
    uint64_t word(uint32_t id) const { return id / 64 & (words_ - 1); }
    static uint64_t bit(uint32_t id) { return uint64_t(1) << id % 64; }

    uint64_t words_;  // a power of two
    Buffer<uint64_t> bits_;
};

// Such a set as a list, too: it is short, and others read it.
class List {
  public:
    explicit List(uint64_t rows) : marks_(rows), ids_(Marks::most + 1) {}
    void clear() { marks_.clear(), count_ = 0; }
    void add(uint32_t id) {
        ids_[count_] = uint16_t(id % Marks::most);
        count_ += !marks_.has(id);  // no branch to mispredict
        marks_.add(id);
    }
    template <class Body>
    void each(Body body) const {
        for (uint32_t i = 0; i < count_; ++i) body(ids_[i]);
    }

  private:
    Marks marks_;
    Buffer<uint16_t> ids_;  // what is left of each when divided by the number of bits
    uint32_t count_ = 0;
};

// The rows that a block may concern.
struct Concerned {
    List inputs, outputs;
    explicit Concerned(uint64_t rows) : inputs(rows), outputs(rows) {}
};

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

template <class Real>
class Copies {
  public:
    double pull = 0;  // how far a single move takes a row to where it belongs

    // Of rows of `stride` numbers, copies are kept of those with an id below `kept`; the others are used where
    // they lie.
    Copies(Real* home, uint32_t stride, uint64_t kept) : Copies(home, stride, kept, kept, 0, nullptr) {}

    // Copies are made, when they are asked for, of the rows in `shared`, at most so many.
    Copies(Real* home, uint32_t stride, uint64_t most, const Marks& shared)
        : Copies(home, stride, 0, most, 2 * most, &shared) {}

    // Those kept bring home how far they have moved since, and take up what others have brought; of each tier
    // those whose turn it is,
    void exchange(uint64_t turn, uint32_t parts) {
        for (Tier tier; tier.begin < kept_; tier.next())
            exchange(tier.begin + turn % tier.period, least_of(tier.end, kept_), tier.period, parts);
    }
    // or all: before the first is moved, and after the last.
    void exchange_all(uint32_t parts) { exchange(0, kept_, 1, parts); }

    // Where the rows of so many ids lie, those not in `shared`.
    void find(const uint32_t* ids, int count, Real** rows) const {
        for (int i = 0; i < count; ++i) rows[i] = (ids[i] < kept_ ? own_ : home_) + uint64_t(ids[i]) * stride_;
    }

    // So with those in `shared`, but where there is no copy yet, where one will lie perhaps: they can be fetched
    // from memory.
    void foresee(const uint32_t* ids, int count, Real** rows) const {
        find(ids, count, rows);
        if (shared_) for_shared(ids, count, [&](uint32_t i) { rows[i] = expected(ids[i]); });
    }

    // Each row will be moved so many times. Those in `shared` are copied.
    void take(const uint32_t* ids, int count, uint32_t times, Real** rows) {
        if (shared_)
            for_shared(ids, count, [&](uint32_t i) { rows[i] = copy(ids[i], times); });
        else if (kept_ > 0)
            for (int i = 0; i < count; ++i) entries_[ids[i] < kept_ ? ids[i] : kept_].moves += times;
    }

    // The row, which will be moved so many times.
    Real* row(uint32_t id, uint32_t times) {
        Real* found;
        find(&id, 1, &found), take(&id, 1, times, &found);
        return found;
    }

    // How far each row is to move takes the place of its copy.
    void measure(uint32_t parts) {
        each<false>(0, 1, [&](const Entry& entry, const Real* row, Real* own) FIRTH_HOGWILD {
            const Real part = Real(share_of_move(pull * entry.moves, parts));
            for (uint32_t j = 0; j < stride_; ++j) own[j] = part * (own[j] - row[j]);
        });
    }

    // Then the rows move whose ids leave `rest` when divided by `divisor`.
    void bring_home(uint32_t rest, uint32_t divisor) const {
        each<true>(rest, divisor, [&](const Entry&, Real* row, const Real* own) FIRTH_HOGWILD {
            for (uint32_t j = 0; j < stride_; ++j) row[j] += own[j];
        });
    }

    void forget() {
        for (uint32_t i = 0; i < count_; ++i) entries_[i].slot->entry = 0;
        count_ = 0;
    }

  private:
    Copies(Real* home, uint32_t stride, uint64_t kept, uint64_t copies, uint64_t slots, const Marks* shared)
        : home_(home),
          stride_(stride),
          kept_(kept),
          shared_(shared),
          mask_(power_of_two(slots) - 1),
          table_(mask_ + 1),
          entries_(copies + 1),
          own_((copies + ahead) * stride),
          before_(kept * stride) {
        for (uint64_t i = 0; i <= mask_; ++i) table_[i] = {0, 0};
        for (uint64_t i = 0; i <= copies; ++i) entries_[i] = {0, 0, nullptr};
    }

    struct Slot {
        uint32_t id, entry;  // of its number + 1; 0: empty
    };
    struct Entry {
        uint32_t id, moves;
        Slot* slot;
    };

    static constexpr uint32_t ahead = 8;  // so many rows further on are fetched from memory

    static uint64_t power_of_two(uint64_t least) {
        uint64_t power = 1;
        while (power < least) power *= 2;
        return power;
    }

    // Of 0...count, calls body(places, found) with those that are wanted, some at a time: who comes is hard to
    // foretell, so they are sorted out first, without a branch to mispredict.
    template <class Wanted, class Body>
    static void sort_out(uint32_t count, Wanted wanted, Body body) {
        constexpr uint32_t some = 256;
        uint32_t places[some];
        for (uint32_t from = 0; from < count; from += some) {
            uint32_t found = 0;
            for (uint32_t i = from; i < from + some && i < count; ++i) {
                places[found] = i;
                found += wanted(i);
            }
            body(places, found);
        }
    }

    // Calls body(i) for the ids[i] in `shared`.
    template <class Body>
    void for_shared(const uint32_t* ids, int count, Body body) const {
        const auto wanted = [&](uint32_t i) { return shared_->has(ids[i]); };
        sort_out(uint32_t(count), wanted, [&](const uint32_t* places, uint32_t found) {
            for (uint32_t f = 0; f < found; ++f) body(places[f]);
        });
    }

    Real* home(uint32_t id) const { return home_ + uint64_t(id) * stride_; }
    Real* own(uint32_t entry) const { return own_ + uint64_t(entry) * stride_; }

    // Where in the table the id stands, or an empty slot that it may take. The factor is odd: as many ids in a row
    // as the table has slots do not collide.
    Slot& slot(uint32_t id) const {
        uint64_t at = id * uint64_t(0x9e3779b1) & mask_;
        while (table_[at].entry && table_[at].id != id) at = (at + 1) & mask_;
        return table_[at];
    }

    Real* expected(uint32_t id) const {
        const uint32_t entry = slot(id).entry;
        if (!entry) prefetch<false>(home(id), stride_);
        return own(entry ? entry - 1 : count_);
    }

    FIRTH_HOGWILD Real* copy(uint32_t id, uint32_t times) {
        Slot& slot = this->slot(id);
        if (!slot.entry) {
            entries_[count_] = {id, 0, &slot};
            prefetch<true>(own(count_ + ahead), stride_);
            for (uint32_t j = 0; j < stride_; ++j) own(count_)[j] = home(id)[j];
            slot = {id, ++count_};
        }
        entries_[slot.entry - 1].moves += times;
        return own(slot.entry - 1);
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
            uint32_t& moves = entries_[id].moves;
            const Real part = Real(share_of_move(pull * moves, parts));
            for (uint32_t j = 0; j < stride_ && moves; ++j) row[j] += part * (own[j] - before[j]);
            for (uint32_t j = 0; j < stride_; ++j) own[j] = before[j] = row[j];
            moves = 0;
        }
    }

    template <bool to_move, class Body>
    void each(uint32_t rest, uint32_t divisor, Body body) const {
        const auto wanted = [&](uint32_t i) { return entries_[i].id % divisor == rest; };
        sort_out(count_, wanted, [&](const uint32_t* places, uint32_t found) {
            for (uint32_t f = 0; f < found; ++f) {
                if (f + ahead < found) {
                    prefetch<to_move>(home(entries_[places[f + ahead]].id), stride_);
                    prefetch<!to_move>(own(places[f + ahead]), stride_);
                }
                body(entries_[places[f]], home(entries_[places[f]].id), own(places[f]));
            }
        });
    }

    Real* home_;
    uint32_t stride_, count_ = 0;
    uint64_t kept_;
    const Marks* shared_;
    uint64_t mask_;
    Buffer<Slot> table_;  // a power of two, at most half full, probed linearly
    Buffer<Entry> entries_;
    Buffer<Real> own_, before_;  // before_: where those kept were when they were exchanged
};

}  // namespace FIRTH_ISA
}  // namespace firth
