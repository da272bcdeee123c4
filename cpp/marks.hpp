// Which rows are concerned: by a part of a block, by several parts of a round.
#pragma once
#include "buffer.hpp"

namespace firth {
namespace FIRTH_ISA {

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

// Such a set as a list, which is short, and which others read: what is left of each id when divided by the number
// of bits.
class List {
  public:
    List() : rests_(Marks::most + 1) {}
    void clear() {
        for (uint32_t i = 0; i < expected; i += 32) __builtin_prefetch(rests_ + i, 1);
        count_ = 0;
    }
    void expect() const {
        __builtin_prefetch(&count_);
        for (uint32_t i = 0; i < expected; i += 32) __builtin_prefetch(rests_ + i);
    }
    void add(uint32_t id, Marks& listed) {
        rests_[count_] = uint16_t(id % Marks::most);
        count_ += !listed.has(id);  // no branch to mispredict
        listed.add(id);
    }
    template <class Body>
    void each(Body body) const {
        for (uint32_t i = 0; i < count_; ++i) body(rests_[i]);
    }

  private:
    static constexpr uint32_t expected = 256;
    Buffer<uint16_t> rests_;
    uint32_t count_ = 0;
};

// The rows that a block may concern.
struct Concerned {
    List inputs, outputs;
    void clear() { inputs.clear(), outputs.clear(); }
    void expect() const { inputs.expect(), outputs.expect(); }
};

}  // namespace FIRTH_ISA
}  // namespace firth
