// Lists of words for Python: each is its text (uint8) and the end of each word in it (uint64).
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "bind.hpp"
#include "huffman.hpp"
#include "words.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using firth::Merge;
using firth::WordList;

namespace {

template <typename T>
using Filled = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

WordList list(const Given<uint8_t>& text, const Given<uint64_t>& ends) {
    require(ends.size() == 0 || ends.data()[ends.size() - 1] == text.size(),
            "the last word must end with the text");
    return {reinterpret_cast<const char*>(text.data()), ends.data(), ends.size()};
}

// What `work` gives as an array, made without the GIL.
template <typename Work>
auto array_by(Work work) {
    decltype(work()) made;
    {
        nb::gil_scoped_release free;
        made = work();
    }
    return array(std::move(made));
}

auto order_words(Given<uint8_t> text, Given<uint64_t> ends) {
    const WordList words = list(text, ends);
    require(words.size < firth::kNoWord, "there are more words than ids");
    return array_by([&] { return firth::order_by_bytes(words.size, [&](uint32_t i) { return words[i]; }); });
}

auto find_words(Given<uint8_t> text, Given<uint64_t> ends, Given<uint32_t> order, Given<uint8_t> wanted_text,
                Given<uint64_t> wanted_ends, Given<uint32_t> wanted_order) {
    const WordList words = list(text, ends), wanted = list(wanted_text, wanted_ends);
    require(order.size() == words.size && wanted_order.size() == wanted.size,
            "an order has a number for each word");
    return array_by([&] { return firth::find_all(words, order.data(), wanted, wanted_order.data()); });
}

void renumber(Shared<uint32_t> ids, Given<uint32_t> table) {
    nb::gil_scoped_release free;
    firth::renumber(ids.data(), ids.size(), table.data(), table.size());
}

auto huffman(Given<int64_t> counts) {
    require(counts.size() <= UINT32_MAX / 2, "a tree holds at most 2^31 - 1 words");
    return array_by([&] { return firth::huffman(counts.data(), counts.size()); });
}

using Run = std::tuple<Given<uint8_t>, Given<uint64_t>, Given<int64_t>>;

// A merge, and the arrays that it reads.
struct Merging {
    std::vector<Run> given;
    Merge merge;
    uint64_t ranks = 0;

    explicit Merging(std::vector<Run> runs) : given(std::move(runs)), merge(views(given)) {
        for (const auto& [text, ends, counts] : given) ranks += counts.size();
    }

    static std::vector<Merge::Run> views(const std::vector<Run>& runs) {
        std::vector<Merge::Run> views;
        for (const auto& [text, ends, counts] : runs) {
            require(counts.size() == ends.size(), "every word needs a count");
            views.push_back({list(text, ends), counts.data()});
        }
        return views;
    }

    bool place(Filled<uint8_t> text, Filled<uint64_t> ends, Filled<uint32_t> order, Filled<int64_t> counts,
               Filled<uint32_t> ranks, size_t most) {
        require(text.size() == merge.bytes() && ends.size() == merge.words() && order.size() == merge.words() &&
                    counts.size() == merge.words() && ranks.size() == this->ranks,
                "the arrays do not have the sizes of the result");
        const Merge::Result result{reinterpret_cast<char*>(text.data()), ends.data(), order.data(), counts.data(),
                                   ranks.data()};
        nb::gil_scoped_release free;
        return merge.place(result, most);
    }
};

}  // namespace

void bind_words(nb::module_& m) {
    m.def("order_words", &order_words, "text"_a, "ends"_a,
          "The positions of the words sorted by their bytes (uint32).");
    m.def(
        "find_words", &find_words, "text"_a, "ends"_a, "order"_a, "wanted_text"_a, "wanted_ends"_a,
        "wanted_order"_a,
        "The position in the first list of each word of the second, 0xFFFFFFFF for none (uint32); the orders are "
        "those of `order_words`.");
    m.def("renumber", &renumber, "ids"_a, "table"_a, "Each id (uint32) becomes table[id], in place.");
    m.def(
        "huffman", &huffman, "counts"_a,
        "The Huffman tree of falling counts: the step up from each word, then from each inner node (uint32); see "
        "task.hpp.");
    nb::class_<Merging>(
        m, "Merge", "Counted lists of words, each sorted by bytes, become one by falling count, ties by bytes.")
        .def(nb::init<std::vector<Run>>(), "runs"_a,
             "For each list text, ends and counts, which it reads in place.")
        .def(
            "survey",
            [](Merging& self, size_t most) {
                nb::gil_scoped_release free;
                return self.merge.survey(most);
            },
            "most"_a, "Look at that many words more, to know how many there are; says whether some are left.")
        .def_prop_ro("words", [](const Merging& self) { return self.merge.words(); })
        .def_prop_ro("bytes", [](const Merging& self) { return self.merge.bytes(); })
        .def(
            "place", &Merging::place, "text"_a, "ends"_a, "order"_a, "counts"_a, "ranks"_a, "most"_a,
            "After the survey, put that many words more where they belong; says whether some are left. `text`, "
            "`ends` and `counts` are by rank, `order` is the ranks of the words sorted by bytes, `ranks` those of "
            "the words of all lists, one list after another.");
}
