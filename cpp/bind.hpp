// What the bindings share: arrays in and out.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <utility>

template <typename T>
using Array = nanobind::ndarray<nanobind::numpy, T, nanobind::ndim<1>>;

template <typename T>
using Given = nanobind::ndarray<const T, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu>;

// The elements of a container as an array, which keeps them alive.
template <typename Container>
auto array(Container&& elements) {
    auto* kept = new Container(std::move(elements));
    nanobind::capsule owner(kept, [](void* pointer) noexcept { delete static_cast<Container*>(pointer); });
    return Array<typename Container::value_type>(kept->data(), {kept->size()}, owner);
}
