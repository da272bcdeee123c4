// Arithmetic on rows: the dense products between hidden and output rows, combine and its adjoint.
//
// Rows are multiples of 64 bytes, 64-byte aligned and padded with zeros, so no loop here has a remainder. One
// source serves every instruction set: FIRTH_BYTES is the width of its vectors.
#pragma once
#include <cstdint>
#include <cstring>

namespace firth {
namespace FIRTH_ISA {

constexpr int vector_bytes = FIRTH_BYTES;

template <class Real>
struct Wide;
template <>
struct Wide<float> {
    typedef float Vector __attribute__((vector_size(vector_bytes), may_alias));
    typedef float Loose __attribute__((vector_size(vector_bytes), aligned(4), may_alias));  // any address
};
template <>
struct Wide<double> {
    typedef double Vector __attribute__((vector_size(vector_bytes), may_alias));
    typedef double Loose __attribute__((vector_size(vector_bytes), aligned(8), may_alias));
};
template <class Real>
using Vector = typename Wide<Real>::Vector;
template <class Real>
using Loose = typename Wide<Real>::Loose;
template <class Real>
constexpr int lanes = vector_bytes / int(sizeof(Real));

template <class Real>
inline Vector<Real>* vectors(Real* row) {
    return reinterpret_cast<Vector<Real>*>(row);
}
template <class Real>
inline const Vector<Real>* vectors(const Real* row) {
    return reinterpret_cast<const Vector<Real>*>(row);
}

template <class Real>
inline void prefetch(const Real* row, uint32_t stride) {
    for (uint32_t i = 0; i < stride; i += 64 / sizeof(Real)) __builtin_prefetch(row + i, 1, 3);
}

// Output rows are taken six at a time: six rows, six sums and their operands fill the sixteen registers of
// AVX2.
constexpr int tile = 6;

template <class Real>
inline Real horizontal_sum(Vector<Real> v) {
    Real sum = 0;
    for (int i = 0; i < lanes<Real>; ++i) sum += v[i];
    return sum;
}

// scores[c * m + k] = h_c . o_k for c < hidden and one tile of `T` output rows.
template <int T, class Real>
inline void dot_tile(const Real* const* h, int hidden, Real* const* o, int width, Real* scores, int m) {
    for (int c = 0; c < hidden; ++c) {
        Vector<Real> sums[T] = {};
        const Vector<Real>* hv = vectors(h[c]);
        for (int v = 0; v < width; ++v)
            for (int k = 0; k < T; ++k) sums[k] += hv[v] * vectors(o[k])[v];
        for (int k = 0; k < T; ++k) scores[c * m + k] = horizontal_sum<Real>(sums[k]);
    }
}

// For one tile of output rows, with g the step sizes laid out as the scores:
//     e_c += sum_k g_ck o_k,   then   o_k += sum_c g_ck h_c.
template <int T, class Real>
inline void step_tile(const Real* const* h, int hidden, Real* const* o, int width, const Real* g, int m, Real* e,
                      uint32_t stride, bool first) {
    for (int v = 0; v < width; ++v) {
        Vector<Real> rows[T], moves[T] = {};
        for (int k = 0; k < T; ++k) rows[k] = vectors(o[k])[v];
        for (int c = 0; c < hidden; ++c) {
            Vector<Real>& sink = vectors(e + c * stride)[v];
            const Vector<Real> hidden_row = vectors(h[c])[v];
            Vector<Real> sum = first ? Vector<Real>{} : sink;
            for (int k = 0; k < T; ++k) {
                sum += g[c * m + k] * rows[k];
                moves[k] += g[c * m + k] * hidden_row;
            }
            sink = sum;
        }
        for (int k = 0; k < T; ++k) vectors(o[k])[v] += moves[k];  // a row drawn twice moves twice
    }
}

template <class Real, class Body>
inline void for_tiles(int m, Body body) {
    int k = 0;
    for (; k + tile <= m; k += tile) body.template operator()<tile>(k);
    switch (m - k) {
        case 1:
            return body.template operator()<1>(k);
        case 2:
            return body.template operator()<2>(k);
        case 3:
            return body.template operator()<3>(k);
        case 4:
            return body.template operator()<4>(k);
        case 5:
            return body.template operator()<5>(k);
    }
}

}  // namespace FIRTH_ISA
}  // namespace firth
