// What the bindings share: arrays in and out, and what is demanded of them.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>
#include <utility>

template <typename T>
using Array = nanobind::ndarray<nanobind::numpy, T, nanobind::ndim<1>>;

template <typename T>
using Given = nanobind::ndarray<const T, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu>;

// One that is written to in place.
template <typename T>
using Shared = nanobind::ndarray<T, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu>;

inline void require(bool condition, const char* what) {
    if (!condition) throw std::invalid_argument(what);
}

// The elements of a container as an array, which keeps them alive.
template <typename Container>
auto array(Container&& elements) {
    auto* kept = new Container(std::move(elements));
    nanobind::capsule owner(kept, [](void* pointer) noexcept { delete static_cast<Container*>(pointer); });
    return Array<typename Container::value_type>(kept->data(), {kept->size()}, owner);
}
