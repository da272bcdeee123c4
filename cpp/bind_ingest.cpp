#include <nanobind/nanobind.h>
void bind_ingest(nanobind::module_&) {}
