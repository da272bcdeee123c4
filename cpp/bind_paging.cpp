// Reading ahead: the blocks of a mapped text are learnt in long strides, which no system foresees.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "bind.hpp"
#include "paging.hpp"
#include "task.hpp"

#define FIRTH_ISA plain
#define FIRTH_BYTES 16
#include "random.hpp"

namespace nb = nanobind;
using firth::advise;
using namespace nb::literals;

namespace {

constexpr uint64_t tokens_ahead = 1'000'000;  // some megabytes, and a tenth of a second of learning
constexpr uint64_t kept = 128;  // so many blocks that are learnt stay mapped, with up to 256 KB around each: 32 MB
constexpr auto pause = std::chrono::milliseconds(2);

void read_ahead(Given<uint32_t> ids, Given<uint64_t> offsets, uint64_t seed, uint64_t epoch, bool in_rounds,
                nb::ndarray<uint64_t, nb::ndim<1>> next_block, nb::ndarray<int32_t, nb::ndim<1>> stop) {
    if (next_block.size() != 1 || stop.size() != 1)
        throw std::invalid_argument("next_block and stop must be one number each");
    nb::gil_scoped_release free;
    const uint64_t tokens = ids.size();
    const firth::plain::Order order(tokens, in_rounds, seed, epoch);
    const uint64_t ahead = tokens_ahead / order.tokens + 1;
    const uint64_t* const last = offsets.data() + offsets.size();
    advise(ids.data(), ids.data() + tokens, MADV_RANDOM);
    uint64_t next, turn = 0, forgotten = 0;
    while ((next = __atomic_load_n(next_block.data(), __ATOMIC_RELAXED)) < order.blocks &&
           !__atomic_load_n(stop.data(), __ATOMIC_RELAXED)) {
        const uint64_t from = std::max(turn, next), to = std::min(next + ahead, order.blocks);
        for (turn = from; turn < to; ++turn) {
            const uint64_t begin = order.block(turn) * order.tokens;
            advise(ids.data() + begin, ids.data() + std::min(begin + order.tokens, tokens), MADV_WILLNEED);
        }
        // Its sentences are looked up here first: it is this thread that waits for what is not in memory.
        for (turn = from; turn < to; ++turn) {
            const uint64_t* sentence = std::upper_bound(offsets.data(), last, order.block(turn) * order.tokens);
            advise(sentence - 1, sentence, MADV_WILLNEED);
        }
        if (next >= forgotten + kept) {  // what was learnt need not stay mapped, only in the system's cache
            advise(ids.data(), ids.data() + tokens, MADV_DONTNEED);
            forgotten = next;
        }
        std::this_thread::sleep_for(pause);
    }
    advise(ids.data(), ids.data() + tokens, MADV_NORMAL);
}

}  // namespace

void bind_paging(nb::module_& m) {
    m.def("read_ahead", &read_ahead, "ids"_a, "offsets"_a, nb::kw_only(), "seed"_a, "epoch"_a, "in_rounds"_a,
          "next_block"_a, "stop"_a,
          "While an epoch is learnt, have the system read the blocks that come next, and unmap those that are "
          "learnt; "
          "ends with the epoch or `stop`. The ids must lie in a mapped file: in memory they would be lost.");
}
