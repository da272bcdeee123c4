// Seeded streams of random numbers and the alias sampler of negatives.
//
// Included once for each instruction set, so everything lives in the namespace of that set.
#pragma once
#include <cstdint>

#include "buffer.hpp"
#include "task.hpp"

namespace firth {
namespace FIRTH_ISA {

// splitmix64 (Steele, Lea & Flood 2014): the n-th number of a stream is a hash of key + n, so that any
// position of the corpus has its own number whoever asks for it, and whenever.
inline uint64_t hashed(uint64_t x) {
    x *= 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

inline uint64_t stream_key(uint64_t seed, uint64_t purpose, uint64_t index) {
    return hashed(hashed(hashed(seed) ^ purpose) ^ index);
}

inline uint64_t least_of(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}
inline uint64_t most_of(uint64_t a, uint64_t b) {
    return a < b ? b : a;
}

inline uint64_t power_of_two(uint64_t least) {
    uint64_t power = 1;
    while (power < least) power *= 2;
    return power;
}

class Random {
  public:
    explicit Random(uint64_t key) : at_(key) {}
    uint64_t next() { return hashed(at_++); }
    uint32_t below(uint32_t n) { return uint32_t((next() >> 32) * n >> 32); }

  private:
    uint64_t at_;
};

// The order in which the blocks of an epoch are learnt: each once, in long strides through the whole text, so that
// whatever the text's own order may be (by subject, by date), every phase of the learning rate sees all of it.
// What is left behind the whole blocks comes last: the tokens passed before a block are then known from its turn.
struct Order {
    uint64_t tokens, blocks, whole, stride, start;  // tokens of a block, blocks, and how many of them are whole

    Order(uint64_t text, bool in_rounds, uint64_t seed, uint64_t epoch)
        : tokens(tokens_of_a_block(text, in_rounds)), blocks((text + tokens - 1) / tokens), whole(text / tokens) {
        stride = uint64_t(double(whole) * 0.6180339887498949) + 1;
        while (common_divisor(stride, whole) > 1) ++stride;
        start = whole ? stream_key(seed, epoch, 0) % whole : 0;
    }

    uint64_t block(uint64_t turn) const { return turn < whole ? (turn * stride + start) % whole : turn; }

  private:
    static uint64_t common_divisor(uint64_t a, uint64_t b) { return b ? common_divisor(b, a % b) : a; }
};

// Walker's alias method: one random number, one table entry of 8 bytes. V entries stay in a core's own cache
// where a table with a slot for each share of probability would not.
inline const AliasSlot* entry(const Noise& noise, uint64_t random) {
    return noise.slots + ((random >> 32) * noise.size >> 32);
}
inline uint32_t draw(const Noise& noise, uint64_t random) {
    const AliasSlot* const from = entry(noise, random);
    const uint32_t keep =
        -uint32_t(uint32_t(random) < from->threshold);  // all ones or none: no branch to mispredict
    return (uint32_t(from - noise.slots) & keep) | (from->alias & ~keep);
}

// Negatives, drawn many at a time, so that the entries of the table come from memory side by side. Those of a
// large vocabulary come out of a pool of draws, of which one is renewed for every five negatives, so that their
// rows stay in a core's own cache. In rounds the pool is drawn for a part of a block and rests while that is
// learnt: it is known beforehand which rows may be concerned.
class Draws {
  public:
    // For so many tokens, of a block or of a part of one, and rows of so many bytes.
    Draws(const Noise& noise, uint64_t tokens, uint64_t row, bool in_rounds)
        : noise_(noise),
          pool_(noise.size <= enough ? 0
                : in_rounds          ? for_part(tokens, noise.draws)
                                     : uint32_t(least_of(tokens / 2, in_cache(row)))),
          rests_(in_rounds && pool_ > 0),
          drawn_(pool_),
          places_(rests_ ? pool_ : 0) {}

    void start(Random& random) {
        source_ = Random(random.next()), picks_ = Random(random.next());
        expect();
    }

    // What a pool that rests will be drawn from is asked for a while before.
    void expect() const {
        Random source = source_;
        for (uint32_t i = 0; i < pool_ && rests_; ++i) __builtin_prefetch(entry(noise_, source.next()));
        asm volatile("");  // to g++ this function does nothing
    }

    // Before each part of a block, which may be all of it.
    void next_part() {
        oldest_ = 0, left_ = 0;
        renew(pool_);
    }

    uint32_t next() {
        if (left_ == 0) refill();
        return ids_[--left_];
    }

    // Tells `body` what the next so many may be.
    template <class Body>
    void foresee(uint64_t count, Body body) const {
        Random source = source_;
        for (uint32_t i = 0; i < pool_; ++i) body(drawn_[i]);
        for (uint64_t i = 0; i < count + batch && pool_ == 0; ++i)  // the last are drawn at once, too
            body(draw(noise_, source.next()));
    }

    // Of a pool that rests next() gives places: where `rows` locates them.
    bool located() const { return rests_; }
    template <class Rows>
    void locate(Rows& rows) {
        if (rests_) rows.locate(drawn_, int(pool_), places_);
    }

  private:
    static constexpr uint32_t most = 512, fewest = 128, enough = 16 * most;
    static constexpr uint64_t cache = 1 << 18;  // bytes of it that the rows of a pool may fill
    static constexpr int batch = 64;

    static uint32_t in_cache(uint64_t row) {
        const uint32_t rows = uint32_t(least_of(cache / row, most));
        return rows < fewest ? fewest : rows;
    }
    // Each draw serves for four negatives or eight, as words share them or not, fewer where words are left out.
    static uint32_t for_part(uint64_t words, uint64_t draws) {
        return uint32_t(least_of(words * (draws < 4 ? 4 : draws) / 8, 1 << 16));
    }

    uint32_t fresh() { return draw(noise_, source_.next()); }

    void renew(uint32_t count) {
        for (uint32_t i = 0; i < count; ++i, ++oldest_) drawn_[oldest_ < pool_ ? oldest_ : oldest_ = 0] = fresh();
    }

    void refill() {
        left_ = batch;
        if (pool_ == 0) {
            for (uint32_t& each : ids_) each = fresh();
            return;
        }
        if (!rests_) renew(batch / 5);
        const uint32_t* const from = rests_ ? +places_ : +drawn_;
        const uint32_t pool = pool_;
        for (int i = 0; i < batch; i += 4) {  // a pool is so small that 16 bits are enough to pick from it
            const uint64_t random = picks_.next();
            for (int j = 0; j < 4; ++j) ids_[i + j] = from[(random >> 16 * j & 0xffff) * pool >> 16];
        }
    }

    const Noise& noise_;
    Random source_ = Random(0), picks_ = Random(0);  // of new draws, and from the pool
    const uint32_t pool_;                            // draws in the pool, 0 for none
    const bool rests_;
    Buffer<uint32_t> drawn_, places_;
    uint32_t oldest_ = 0, ids_[batch];
    int left_ = 0;
};

}  // namespace FIRTH_ISA
}  // namespace firth
