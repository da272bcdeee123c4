// n-gram models for Python: arrays in, numbers out; the GIL is free while they are worked on.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "arpa.hpp"
#include "bind.hpp"
#include "ngram.hpp"

namespace nb = nanobind;
using namespace nb::literals;
namespace ngram = firth::ngram;

namespace {

template <class T>
using Arrays = std::vector<Shared<T>>;
using Unlocked = nb::call_guard<nb::gil_scoped_release>;

struct TextArrays {
    Given<uint32_t> ids;
    Given<uint64_t> offsets;
    Given<uint32_t> table;
    ngram::Text text;

    TextArrays(Given<uint32_t> ids, Given<uint64_t> offsets, Given<uint32_t> table)
        : ids(ids), offsets(offsets), table(table) {
        require(offsets.size() > 1 && offsets.data()[offsets.size() - 1] == ids.size(),
                "the last sentence must end with the ids");
        text = {ids.data(), offsets.data(), offsets.size() - 1, table.data()};
    }
};

auto sorted(Given<uint32_t> piece, int order, ngram::Range last, uint32_t words) {
    require(order >= 1 && piece.size() >= size_t(order), "a piece holds order - 1 histories and some words");
    require(last.to <= words, "there are no such last words");
    std::vector<uint32_t> records;
    {
        nb::gil_scoped_release free;
        records = ngram::sorted(piece.data(), piece.size(), order, last, words);
    }
    return array(std::move(records));
}

std::vector<ngram::Run> runs_of(const std::vector<Given<uint32_t>>& arrays, int order) {
    std::vector<ngram::Run> runs;
    for (const Given<uint32_t>& each : arrays) {
        require(each.size() % size_t(order + 1) == 0, "a run holds whole n-grams");
        runs.push_back({each.data(), each.data() + each.size()});
    }
    return runs;
}

// What holds of the arrays of all levels: `left` begins with level 2; `begin` and `backoff` end before the last.
template <class Ids, class Floats>
void require_levels(const Ids& left, const Ids& begin, const Floats& prob, const Floats& backoff) {
    const size_t order = prob.size();
    require(order >= 1 && left.size() == order - 1 && begin.size() == order - 1 && backoff.size() == order - 1,
            "every level needs its arrays");
    for (size_t k = 0; k < order; ++k) {
        const uint64_t size = prob[k].size();
        require(
            !k || (left[k - 1].size() == size && std::all_of(left[k - 1].data(), left[k - 1].data() + size,
                                                             [&](uint32_t id) { return id < prob[0].size(); })),
            "every n-gram needs a leftmost word");
        require(k + 1 == order || (begin[k].size() == size + 1 && backoff[k].size() == size),
                "every history needs a beginning and a back-off");
    }
}

// The arrays of all levels, kept alive. `left` begins with level 2; `begin` and `backoff` end before the last.
struct LevelArrays {
    Arrays<uint32_t> left, begin, count;
    Arrays<float> prob, backoff;
    ngram::Levels levels;

    LevelArrays(Arrays<uint32_t> left, Arrays<uint32_t> begin, Arrays<uint32_t> count, Arrays<float> prob,
                Arrays<float> backoff)
        : left(left), begin(begin), count(count), prob(prob), backoff(backoff) {
        const size_t order = prob.size();
        require_levels(left, begin, prob, backoff);
        require(count.size() == order || count.empty(), "every level needs its counts, or none");
        for (size_t k = 0; k < order; ++k) {
            const uint64_t size = prob[k].size();
            const bool inner = k + 1 < order;
            require(count.empty() || count[k].size() == size, "every n-gram needs a count");
            levels.push_back({size, k ? left[k - 1].data() : nullptr, inner ? begin[k].data() : nullptr,
                              count.empty() ? nullptr : count[k].data(), prob[k].data(),
                              inner ? backoff[k].data() : nullptr});
        }
    }

    const ngram::Level& parents(int k) const {
        require(2 <= k && size_t(k) <= levels.size(), "there is no such level");
        return levels[size_t(k) - 2];
    }
    const ngram::Level& level(int k) const { return parents(k), levels[size_t(k) - 1]; }

    ngram::Histories histories(int k, const Shared<uint32_t>& below, const Shared<uint32_t>& here) const {
        require(here.size() == level(k).size && (k == 2 || below.size() == parents(k).size),
                "every n-gram needs a history");
        return {below.data(), here.data()};
    }
};

auto fill(const LevelArrays& self, const std::vector<Given<uint32_t>>& runs, ngram::Range last,
          const std::vector<uint64_t>& first, bool adjusted, const std::vector<uint32_t>& prune, uint32_t kept) {
    const size_t order = self.levels.size();
    require(
        first.size() == order && prune.size() == order && !self.count.empty() && last.to <= self.levels[0].size,
        "every level needs its settings");
    std::vector<ngram::Tally> tallies;
    {
        nb::gil_scoped_release free;
        tallies = ngram::fill(runs_of(runs, int(order)), {adjusted, prune, kept}, last, first, self.levels);
    }
    std::vector<std::vector<uint64_t>> found;
    for (const ngram::Tally& tally : tallies) {
        found.push_back({tally.size, tally.kept});
        found.back().insert(found.back().end(), tally.of_count, tally.of_count + ngram::Tally::counts);
    }
    return found;
}

// A finished model's arrays, mapped from its file as may be: nothing below writes to them.
struct ModelArrays {
    std::vector<Given<uint32_t>> left, begin;
    std::vector<Given<float>> prob, backoff;
    ngram::Model model;

    ModelArrays(std::vector<Given<uint32_t>> left, std::vector<Given<uint32_t>> begin,
                std::vector<Given<float>> prob, std::vector<Given<float>> backoff, bool alone, float unseen)
        : left(left), begin(begin), prob(prob), backoff(backoff), model{{}, alone, unseen} {
        const size_t order = prob.size();
        require_levels(left, begin, prob, backoff);
        require(prob[0].size() > ngram::stop, "there are no words");
        for (size_t k = 0; k < order; ++k) {
            const uint64_t size = prob[k].size();
            const bool inner = k + 1 < order;
            require(!inner || (begin[k].data()[0] == 0 && begin[k].data()[size] == prob[k + 1].size() &&
                               std::is_sorted(begin[k].data(), begin[k].data() + size + 1)),
                    "the children of a level follow one another to the end of the next");
            model.levels.push_back({size, k ? const_cast<uint32_t*>(left[k - 1].data()) : nullptr,
                                    inner ? const_cast<uint32_t*>(begin[k].data()) : nullptr, nullptr,
                                    const_cast<float*>(prob[k].data()),
                                    inner ? const_cast<float*>(backoff[k].data()) : nullptr});
        }
    }

    uint32_t word(uint32_t id) const {
        if (id >= model.levels[0].size) throw std::invalid_argument("there is no such word");
        return id;
    }

    ngram::State after(const Given<uint32_t>& words) const {
        ngram::State state(model.order()), next = state;
        for (size_t i = 0; i < words.size(); ++i) {
            ngram::score(model, state, word(words.data()[i]), &next);
            std::swap(state, next);
        }
        return state;
    }

    // The words of sentences from … to − 1, and their ends where `ends`.
    void score(Given<uint32_t> ids, Given<uint64_t> offsets, std::pair<uint64_t, uint64_t> sentences,
               Given<uint32_t> before, bool ends, Shared<float> log10, Shared<uint8_t> length) const {
        const uint64_t* at = offsets.data();
        require(sentences.first <= sentences.second && sentences.second < offsets.size() &&
                    at[sentences.second] <= ids.size(),
                "there are no such sentences");
        require(
            log10.size() == length.size() && log10.size() >= at[sentences.second] + (ends ? sentences.second : 0),
            "every word needs its score");
        const ngram::State first = after(before);
        ngram::State state = first, next = first;
        for (uint64_t s = sentences.first; s < sentences.second; ++s) {
            state = first;
            uint64_t out = at[s] + (ends ? s : 0);
            for (uint64_t i = at[s]; i < at[s + 1] + ends; ++i, ++out) {
                const uint32_t id = i < at[s + 1] ? word(ids.data()[i]) : ngram::stop;
                const ngram::Score found = ngram::score(model, state, id, &next);
                log10.data()[out] = found.log10;
                length.data()[out] = uint8_t(std::min(found.length, 255));
                std::swap(state, next);
            }
        }
    }

    void follow(Given<uint32_t> history, Shared<float> log10) const {
        require(log10.size() == model.levels[0].size, "every word needs its score");
        const ngram::State state = after(history);
        for (uint32_t id = 0; id < log10.size(); ++id)
            log10.data()[id] = ngram::score(model, state, id, nullptr).log10;
    }

    nb::bytes lines(int k, uint64_t from, uint64_t to, Given<uint8_t> text, Given<uint64_t> ends) const {
        require(1 <= k && size_t(k) <= model.levels.size() && from <= to && to <= model.levels[size_t(k) - 1].size,
                "there are no such n-grams");
        require(ends.size() == model.levels[0].size && ends.data()[ends.size() - 1] == text.size(),
                "every word needs its text");
        std::string found;
        {
            nb::gil_scoped_release free;
            found = ngram::arpa_lines(model.levels, k, from, to,
                                      {reinterpret_cast<const char*>(text.data()), ends.data()});
        }
        return nb::bytes(found.data(), found.size());
    }
};

}  // namespace

void bind_ngram(nb::module_& m) {
    nb::class_<ngram::Range>(m, "WordRange", "Words from one id to before another.")
        .def(
            "__init__",
            [](ngram::Range* self, uint32_t from, uint32_t to) {
                new (self) ngram::Range{from, to};
            },
            "start"_a, "stop"_a)
        .def_ro("start", &ngram::Range::from)
        .def_ro("stop", &ngram::Range::to);

    nb::class_<TextArrays>(m, "NGramText", "Sentences as one stream: <s> words </s> <s> words </s> …")
        .def(nb::init<Given<uint32_t>, Given<uint64_t>, Given<uint32_t>>(), "ids"_a, "offsets"_a, "table"_a)
        .def(
            "read",
            [](const TextArrays& self, int64_t from, Shared<uint32_t> out) {
                require(from + int64_t(out.size()) <= int64_t(self.text.size()), "the stream ends before");
                ngram::stream(self.text, from, from + int64_t(out.size()), out.data());
            },
            Unlocked(), "start"_a, "out"_a,
            "Fill `out` with the stream from a position, which may be below 0 (<s>).");

    m.def(
        "ngram_sorted", &sorted, "piece"_a, nb::kw_only(), "order"_a, "last"_a, "words"_a,
        "The n-grams of a piece of the stream that end in some words: words, the last first, and count of each.");
    m.def(
        "ngram_sizes",
        [](const std::vector<Given<uint32_t>>& runs, int order) {
            return ngram::sizes(runs_of(runs, order), order);
        },
        Unlocked(), "runs"_a, "order"_a, "How many n-grams of each length the runs of one range of words hold.");
    m.def(
        "ngram_log10", [](Shared<float> numbers) { ngram::to_log10(numbers.data(), numbers.size()); }, Unlocked(),
        "numbers"_a, "In place.");

    nb::class_<LevelArrays>(m, "NGramLevels", "n-grams by length, used in place: see ngram.hpp.")
        .def(nb::init<Arrays<uint32_t>, Arrays<uint32_t>, Arrays<uint32_t>, Arrays<float>, Arrays<float>>(),
             "left"_a, "begin"_a, "count"_a, "prob"_a, "backoff"_a)
        .def(
            "fill", &fill, "runs"_a, nb::kw_only(), "last"_a, "first"_a, "adjusted"_a, "prune"_a, "kept"_a,
            "Write the n-grams of runs; by length their number, that of the kept, and how many have count 0, 1, …")
        .def(
            "estimate",
            [](const LevelArrays& self, int k, ngram::Range last, Shared<uint32_t> below, Shared<uint32_t> here,
               const std::string& combine, std::vector<double> take, double share, double add, uint32_t words) {
                const auto kind = combine == "interpolate" ? ngram::Combine::interpolate
                                  : combine == "back-off"  ? ngram::Combine::back_off
                                                           : ngram::Combine::alone;
                require(!take.empty() && last.to <= self.levels[0].size, "every count needs a discount");
                ngram::estimate(self.levels, k, last, {kind, std::move(take), share, add, words},
                                self.histories(k, below, here));
            },
            Unlocked(), "k"_a, nb::kw_only(), "last"_a, "below"_a, "here"_a, "combine"_a, "take"_a, "share"_a,
            "add"_a, "words"_a)
        .def(
            "ratios",
            [](const LevelArrays& self, int k, ngram::Range last, Shared<uint32_t> below, Shared<uint32_t> here,
               Shared<float> left_out) {
                require(left_out.size() == self.parents(k).size && last.to <= self.levels[0].size,
                        "every suffix needs a probability");
                return ngram::ratios(self.levels, k, last, self.histories(k, below, here), left_out.data());
            },
            Unlocked(), "k"_a, nb::kw_only(), "last"_a, "below"_a, "here"_a, "left_out"_a)
        .def(
            "leave_out",
            [](const LevelArrays& self, int k, ngram::Range last, Shared<uint32_t> here, double weight,
               Shared<float> below_left_out, Shared<float> here_left_out) {
                require(below_left_out.size() == self.parents(k).size && last.to <= self.levels[0].size &&
                            here_left_out.size() == self.level(k).size && here.size() == self.level(k).size,
                        "every n-gram needs a probability");
                ngram::leave_out(self.levels, k, last, {nullptr, here.data()}, weight,
                                 {below_left_out.data(), here_left_out.data()});
            },
            Unlocked(), "k"_a, nb::kw_only(), "last"_a, "here"_a, "weight"_a, "below_left_out"_a,
            "here_left_out"_a)
        .def(
            "compact",
            [](const LevelArrays& self, int k, const LevelArrays& to) {
                ngram::compact(self.parents(k), self.level(k), to.parents(k), to.level(k));
            },
            Unlocked(), "k"_a, "to"_a, "Copy level k without what is pruned.");
    m.attr("NGRAM_RATIO_ZERO") = ngram::ratio_zero;

    nb::class_<ModelArrays>(m, "NGramModel", "A model's arrays, to ask. A history may begin with <s>.")
        .def(nb::init<std::vector<Given<uint32_t>>, std::vector<Given<uint32_t>>, std::vector<Given<float>>,
                      std::vector<Given<float>>, bool, float>(),
             "left"_a, "begin"_a, "prob"_a, "backoff"_a, nb::kw_only(), "alone"_a, "unseen"_a)
        .def("score", &ModelArrays::score, Unlocked(), "ids"_a, "offsets"_a, nb::kw_only(), "sentences"_a,
             "before"_a, "ends"_a, "log10"_a, "length"_a,
             "Score sentences into `log10` and `length`: every word, and the end where `ends`.")
        .def("follow", &ModelArrays::follow, Unlocked(), "history"_a, "log10"_a,
             "log10 P(w | history) of every word w.")
        .def("lines", &ModelArrays::lines, "k"_a, "start"_a, "stop"_a, "text"_a, "ends"_a,
             "n-grams of length k as lines of an ARPA file.");
}
