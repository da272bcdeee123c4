// Task: checks what Python hands over, keeps it alive, and runs the loop without the GIL.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>

#include "alias.hpp"
#include "bind.hpp"
#include "huffman.hpp"
#include "task.hpp"

#define FIRTH_ISA plain
#define FIRTH_BYTES 16
#include "random.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <class T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

struct NoiseTable {
    std::vector<firth::AliasSlot> slots;
    std::vector<float> log_expected;
    uint32_t draws;

    // `q` is the distribution, `negatives` the number of draws a prediction.
    NoiseTable(Given<double> q, uint32_t negatives) : draws(negatives) {
        require(q.size() > 0 && q.size() < UINT32_MAX, "q must have from 1 to 2^32 - 2 entries");
        slots = firth::alias_table(q.data(), uint32_t(q.size()));
        log_expected.resize(q.size());
        for (size_t i = 0; i < q.size(); ++i) log_expected[i] = float(std::log(q.data()[i] * negatives));
    }

    firth::Noise view() const { return {slots.data(), uint32_t(slots.size()), draws, log_expected.data()}; }

    // `count` draws, for those who want to look at them.
    std::vector<uint32_t> draw(uint32_t count, uint64_t seed) const {
        firth::plain::Random random(firth::plain::stream_key(seed, 0, 0));
        std::vector<uint32_t> out(count);
        for (uint32_t& each : out) each = firth::plain::draw(view(), random.next());
        return out;
    }
};

struct TreeTable {
    Given<uint32_t> up;
    std::vector<firth::Path> paths;
    uint32_t longest;

    TreeTable(Given<uint32_t> up, size_t written) : up(up) {
        require(up.size() % 2 == 1, "a tree of V words has V - 1 inner nodes");
        const size_t inner = words() - 1, root = inner ? words() : 0;
        for (size_t i = 0; i < up.size(); ++i)
            require(i == root ? up.data()[i] == firth::no_step
                              : up.data()[i] / 2 < (i < words() ? inner : i - words()),
                    "each step must lead to an inner node, and to an earlier one from these");
        paths = firth::write_paths(up.data(), words(), written);
        longest = firth::longest_path(up.data(), words());
    }

    size_t words() const { return up.size() / 2 + 1; }
    firth::Tree view() const { return {up.data(), paths.data(), uint32_t(paths.size()), longest}; }
};

template <class Real>
void learn(const firth::Task<Real>& task, const firth::Epoch& epoch, firth::Counters& counters);
template <>
void learn(const firth::Task<float>& task, const firth::Epoch& epoch, firth::Counters& counters) {
    firth::choose_instruction_set().learn(task, epoch, counters);
}
template <>
void learn(const firth::Task<double>& task, const firth::Epoch& epoch, firth::Counters& counters) {
    firth::learn_double(task, epoch, counters);
}

firth::Objective objective_named(const std::string& name) {
    const char* names[] = {"negative-sampling", "hierarchical-softmax", "softmax", "nce", "sampled-softmax"};
    for (int i = 0; i < 5; ++i)
        if (name == names[i]) return firth::Objective(i);
    throw std::invalid_argument("unknown objective " + name);
}

firth::Architecture architecture_named(const std::string& name) {
    if (name == "skipgram") return firth::Architecture::skipgram;
    if (name == "cbow") return firth::Architecture::cbow;
    throw std::invalid_argument("unknown context " + name);
}

template <class Real>
struct Training {
    // What the task points into.
    Given<uint32_t> ids;
    Given<uint64_t> offsets;
    Given<uint32_t> keep;
    Matrix<Real> input, output;
    std::optional<Shared<Real>> bias;
    std::optional<NoiseTable> noise;
    std::optional<TreeTable> tree;
    std::optional<Given<uint8_t>> frozen;
    firth::Task<Real> task;

    void run(uint64_t seed, uint64_t epoch, double rate_from, double rate_to, Shared<uint64_t> next_block,
             Shared<uint64_t> counters, Shared<int32_t> stop, uint32_t thread, uint32_t threads,
             std::optional<Shared<uint64_t>> meeting) {
        require(counters.size() * sizeof(uint64_t) == sizeof(firth::Counters),
                "counters must be 8 numbers of 64 bits");
        require(next_block.size() == 1 && stop.size() == 1, "next_block and stop must be one number each");
        require(!meeting || meeting->size() * sizeof(uint64_t) == sizeof(firth::Meeting),
                "meeting must be MEETING_SIZE numbers of 64 bits");
        require(thread < threads, "threads are numbered from 0");
        firth::Meeting* const shared = meeting ? reinterpret_cast<firth::Meeting*>(meeting->data()) : nullptr;
        const firth::Epoch settings{seed,        epoch,  rate_from, rate_to, next_block.data(),
                                    stop.data(), thread, threads,   shared};
        nb::gil_scoped_release unlocked;
        try {
            learn(task, settings, *reinterpret_cast<firth::Counters*>(counters.data()));
        } catch (...) {
            if (shared) __atomic_store_n(&shared->broken, 1, __ATOMIC_RELAXED);
            throw;
        }
    }
};

template <class Real>
void construct(Training<Real>* self, Given<uint32_t> ids, Given<uint64_t> offsets, Given<uint32_t> keep,
               Matrix<Real> input, Matrix<Real> output, std::optional<Shared<Real>> bias,
               const std::string& context, uint32_t window, bool shrink, bool mean, bool exact,
               const std::string& objective, std::optional<NoiseTable> noise, std::optional<TreeTable> tree,
               std::optional<Given<uint8_t>> frozen) {
    using firth::Objective;
    const Objective kind = objective_named(objective);
    const bool draws =
        kind == Objective::negative_sampling || kind == Objective::nce || kind == Objective::sampled_softmax;
    const uint64_t vocabulary = keep.size(), stride = input.shape(1);
    require(offsets.size() > 0 && offsets.data()[offsets.size() - 1] == ids.size(),
            "the last sentence must end with the ids");
    require(window >= 1, "window must be at least 1");
    require(vocabulary <= INT32_MAX,
            "no more than 2,147,483,647 words can be learnt");  // copies are numbered, too
    require(vocabulary <= input.shape(0), "the input matrix needs a row for each word");
    require(output.shape(1) == stride, "input and output rows must have the same length");
    require(stride * sizeof(Real) % 64 == 0, "rows must be multiples of 64 bytes");
    require(uint64_t(input.data()) % 64 == 0 && uint64_t(output.data()) % 64 == 0,
            "matrices must be 64-byte aligned");
    require(output.shape(0) + (kind == Objective::hierarchical_softmax) >= vocabulary,
            "the output matrix needs more rows");
    require(draws == noise.has_value(), "this objective and a noise distribution do not go together");
    require(!noise || noise->slots.size() <= output.shape(0), "the noise draws words that have no output row");
    require((kind == Objective::hierarchical_softmax) == tree.has_value(),
            "this objective and a tree do not go together");
    require(!tree || tree->words() == vocabulary, "the tree needs a path for each word");
    const bool biased = kind == Objective::nce || kind == Objective::sampled_softmax;
    require(biased == bias.has_value(), "this objective and a bias do not go together");
    require(!bias || bias->size() == output.shape(0), "the bias needs a number for each output row");
    require(!frozen || frozen->size() == input.shape(0), "frozen must tell of each input row");
    new (self)
        Training<Real>{ids, offsets, keep, input, output, bias, std::move(noise), std::move(tree), frozen, {}};
    self->task = {{ids.data(), offsets.data(), ids.size(), offsets.size() - 1, uint32_t(vocabulary), keep.data()},
                  {architecture_named(context), window, shrink, mean, exact},
                  {kind, self->noise ? self->noise->view() : firth::Noise{},
                   self->tree ? self->tree->view() : firth::Tree{}},
                  {input.data(), output.data(), bias ? bias->data() : nullptr, uint32_t(stride),
                   frozen ? frozen->data() : nullptr}};
}

template <class Real>
void bind_task(nb::module_& m, const char* name) {
    nb::class_<Training<Real>>(m, name,
                               "What one training run learns from and into; the arrays are used in place.")
        .def("__init__", &construct<Real>, "ids"_a, "offsets"_a, "keep"_a, "input"_a, "output"_a, "bias"_a.none(),
             nb::kw_only(), "context"_a, "window"_a, "shrink"_a, "mean"_a, "exact"_a, "objective"_a,
             "noise"_a.none(), "tree"_a.none(), "frozen"_a.none() = nb::none())
        .def("run", &Training<Real>::run, nb::kw_only(), "seed"_a, "epoch"_a, "rate_from"_a, "rate_to"_a,
             "next_block"_a, "counters"_a, "stop"_a, "thread"_a = 0, "threads"_a = 1,
             "meeting"_a.none() = nb::none(),
             "Learn blocks of the text until none is left; any number of threads may do so at once, each "
             "with its\n"
             "own counters (8 numbers of 64 bits: tokens, predictions, then the loss as a double). A `stop` of 1 "
             "makes\n"
             "them leave at the next window, of 2 before the next block, from where `run` goes on when called "
             "again.\n"
             "With a `meeting` (MEETING_SIZE zeros, shared) what they learn does not depend on their number.");
}

}  // namespace

void bind_train(nb::module_& m) {
    nb::class_<NoiseTable>(m, "NoiseTable", "A distribution over ids, to draw from in constant time.")
        .def(nb::init<Given<double>, uint32_t>(), "q"_a, "negatives"_a)
        .def("draw", &NoiseTable::draw, "count"_a, nb::kw_only(), "seed"_a);
    nb::class_<TreeTable>(
        m, "TreeTable",
        "A Huffman tree, to be walked from words to the root; the paths of so many words are written down.")
        .def(nb::init<Given<uint32_t>, size_t>(), "up"_a, nb::kw_only(), "written"_a);
    bind_task<float>(m, "Task");
    bind_task<double>(m, "DoubleTask");
    m.attr("MEETING_SIZE") = sizeof(firth::Meeting) / sizeof(uint64_t);
    m.def("block_tokens", &firth::tokens_of_a_block, "text"_a, nb::kw_only(), "in_rounds"_a,
          "Tokens of a block of a text of so many.");
    m.def(
        "instruction_set",
        [] {
            const char* name = firth::choose_instruction_set().name;
            return name ? std::optional<std::string>(name) : std::nullopt;
        },
        "The vector instructions in use: avx512, avx2 or plain; None where FIRTH_ISA names one that cannot "
        "run here.");
}
