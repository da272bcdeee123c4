// The Python module firth._core.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_ingest(nb::module_& m);
void bind_paging(nb::module_& m);
void bind_ngram(nb::module_& m);
void bind_train(nb::module_& m);
void bind_words(nb::module_& m);

NB_MODULE(_core, m) {
    // A thread that Ctrl-C keeps from starting holds its task to the end of the process: no leak to warn users of.
    nb::set_leak_warnings(false);
    m.doc() = "The native loops of Firth: they see integers and floats; what a person touches is Python.";
    bind_ingest(m);
    bind_paging(m);
    bind_ngram(m);
    bind_train(m);
    bind_words(m);
}
