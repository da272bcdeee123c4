// Ingest for Python: chunks or sentences in, arrays out; the GIL is free while text is worked on.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>

#include <tuple>
#include <utility>
#include <vector>

#include "ingest.hpp"

namespace nb = nanobind;
using firth::Encoded;
using firth::Ingest;

namespace {

template <typename T>
using Array = nb::ndarray<nb::numpy, T, nb::ndim<1>>;

// The elements of a container as an array, which keeps them alive.
template <typename Container>
auto array(Container&& elements) {
    auto* kept = new Container(std::move(elements));
    nb::capsule owner(kept, [](void* pointer) noexcept { delete static_cast<Container*>(pointer); });
    return Array<typename Container::value_type>(kept->data(), {kept->size()}, owner);
}

using Arrays = std::pair<Array<uint32_t>, Array<uint64_t>>;

Arrays arrays(Encoded&& encoded) {
    return {array(std::move(encoded.ids)), array(std::move(encoded.ends))};
}

// What `work` makes of the text, done without the GIL; an invalid byte becomes an exception of Python's.
template <typename Work>
Arrays encoded_by(Ingest& ingest, Work work) {
    Encoded encoded;
    try {
        nb::gil_scoped_release free;
        work();
        encoded = ingest.take();
    } catch (const firth::InvalidByte& invalid) {
        nb::object type = nb::module_::import_("firth._core").attr("InvalidByte");
        PyErr_SetObject(type.ptr(), nb::make_tuple(invalid.line, invalid.column, invalid.byte).ptr());
        throw nb::python_error();
    }
    return arrays(std::move(encoded));
}

// A token that holds surrogate escapes stands for the bytes that they escape.
void add_token(Ingest& ingest, nb::handle token) {
    if (!PyUnicode_Check(token.ptr())) throw nb::type_error("a token is not a string");
    Py_ssize_t size;
    if (const char* text = PyUnicode_AsUTF8AndSize(token.ptr(), &size)) {
        if (size == 0) throw nb::value_error("a token is empty");
        return ingest.add_word({text, static_cast<size_t>(size)});
    }
    PyErr_Clear();
    nb::object bytes = nb::steal(PyUnicode_AsEncodedString(token.ptr(), "utf-8", "surrogateescape"));
    if (!bytes.is_valid()) throw nb::python_error();
    ingest.add_word({PyBytes_AS_STRING(bytes.ptr()), static_cast<size_t>(PyBytes_GET_SIZE(bytes.ptr()))});
}

Arrays add(Ingest& ingest, const nb::typed<nb::list, nb::any>& sentences) {
    for (nb::handle sentence : sentences) {
        if (PyUnicode_Check(sentence.ptr())) throw nb::type_error("a sentence is a string, not a list of tokens");
        nb::object tokens = nb::steal(PySequence_Fast(sentence.ptr(), "a sentence is not a list of tokens"));
        if (!tokens.is_valid()) throw nb::python_error();
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(tokens.ptr()); ++i)
            add_token(ingest, PySequence_Fast_GET_ITEM(tokens.ptr(), i));
        ingest.end_sentence();
    }
    return arrays(ingest.take());
}

auto vocabulary(const Ingest& ingest) {
    firth::Ranking ranking;
    {
        nb::gil_scoped_release free;
        ranking = ingest.vocabulary();
    }
    std::vector<uint8_t> text(ranking.text.begin(), ranking.text.end());
    return std::make_tuple(array(std::move(text)), array(std::move(ranking.ends)), array(std::move(ranking.order)),
                           array(std::move(ranking.counts)), array(std::move(ranking.ranks)));
}

}  // namespace

void bind_ingest(nb::module_& m) {
    m.attr("InvalidByte") = nb::steal(PyErr_NewExceptionWithDoc(
        "firth._core.InvalidByte", "A byte that is not UTF-8: its line and column, from 1, and its value.",
        PyExc_ValueError, nullptr));
    nb::class_<Ingest>(m, "Ingest", "Counts and encodes text piece by piece; ids are provisional till the end.")
        .def(nb::init<>())
        .def(
            "feed",
            [](Ingest& ingest, const nb::bytes& text) {
                return encoded_by(ingest, [&] { ingest.feed(text.c_str(), text.size()); });
            },
            nb::arg("text"),
            "Any piece of UTF-8. Gives the ids of the words that ended in it (uint32), and for each sentence "
            "that ended how many words came before its end, in all (uint64). Raises InvalidByte.")
        .def(
            "end_text", [](Ingest& ingest) { return encoded_by(ingest, [&] { ingest.end_text(); }); },
            "The end of a text and of its last line; gives what `feed` gives.")
        .def("add", &add, nb::arg("sentences"),
             "A list of sentences, each a sequence of tokens that may hold anything; gives what `feed` gives. "
             "Raises TypeError or ValueError for what is not such a list.")
        .def("vocabulary", &vocabulary,
             "Words by falling count, ties by bytes: their UTF-8 text (uint8), the end of each in it "
             "(uint64), "
             "their order by bytes (uint32), their counts (int64); and the rank of each provisional id "
             "(uint32).");
}
