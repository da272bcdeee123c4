// Ingest for Python: text or sentences in, arrays out; the GIL is free while text is worked on.
#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>

#include <tuple>
#include <utility>
#include <vector>

#include "bind.hpp"
#include "ingest.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using firth::Encoded;
using firth::Ingest;

namespace {

using Arrays = std::pair<Array<uint32_t>, Array<uint64_t>>;

Arrays arrays(Encoded&& encoded) {
    return {array(std::move(encoded.ids)), array(std::move(encoded.ends))};
}

// An invalid byte becomes an exception of Python's.
Arrays add_text(Ingest& ingest, const nb::bytes& text) {
    try {
        nb::gil_scoped_release free;
        ingest.add_text(text.c_str(), text.size());
    } catch (const firth::InvalidByte& invalid) {
        nb::object type = nb::module_::import_("firth._core").attr("InvalidByte");
        PyErr_SetObject(type.ptr(), nb::make_tuple(invalid.line, invalid.column, invalid.byte).ptr());
        throw nb::python_error();
    }
    return arrays(ingest.take());
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

Arrays add_sentences(Ingest& ingest, const nb::typed<nb::list, nb::any>& sentences) {
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

auto drain(Ingest& ingest) {
    firth::SortedWords words;
    {
        nb::gil_scoped_release free;
        words = ingest.drain();
    }
    return std::make_tuple(array(std::move(words.text)), array(std::move(words.ends)),
                           array(std::move(words.counts)), array(std::move(words.ids)));
}

}  // namespace

void bind_ingest(nb::module_& m) {
    m.attr("InvalidByte") = nb::steal(PyErr_NewExceptionWithDoc(
        "firth._core.InvalidByte", "A byte that is not UTF-8: its line and column, from 1, and its value.",
        PyExc_ValueError, nullptr));
    nb::class_<Ingest>(m, "Ingest", "Counts and encodes text piece by piece; ids are provisional till the end.")
        .def(nb::init<>())
        .def("add_text", &add_text, "text"_a,
             "A piece of UTF-8, over whose end no word reaches. Gives the ids of its words (uint32), and for each "
             "line that ended how many words of the piece came before (uint64). Raises InvalidByte.")
        .def("add_sentences", &add_sentences, "sentences"_a,
             "A list of sentences, each a sequence of tokens that may hold anything; gives what `add_text` gives. "
             "Raises TypeError or ValueError for what is not such a list.")
        .def("drain", &drain,
             "The words since the last call, sorted by bytes: their UTF-8 text (uint8), the end of each in it "
             "(uint64), their counts (int64), their ids (uint32). Ids begin anew.")
        .def_prop_ro("memory", &Ingest::memory, "The bytes that the words take, and that `drain` needs besides.");
}
