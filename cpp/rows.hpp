// Arithmetic on rows: the dense products between hidden and output rows, combine and its adjoint.
//
// Rows are multiples of 64 bytes, 64-byte aligned and padded with zeros, so no loop here has a remainder. One
// source serves every instruction set: FIRTH_BYTES is the width of its vectors.
#pragma once
#include <cstdint>
#include <utility>

// Threads read and move the same rows without locks (Hogwild, Niu et al. 2011). ThreadSanitizer looks away in the
// functions so marked, which do little else, and nowhere else.
#define FIRTH_HOGWILD __attribute__((no_sanitize("thread")))

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

// Vectors x and y hold sums in blocks of 2 * S lanes; the result holds, in blocks of S lanes, those of x and then
// those of y, each block's halves added. S = lanes / 2, lanes / 4 ... 1 in turn sums many vectors at once.
template <int S, class V, size_t... I>
inline V fold(V x, V y, std::index_sequence<I...>) {
    constexpr auto even = [](size_t i) { return int(i / S * 2 * S + i % S); };
    return __builtin_shufflevector(x, y, even(I)...) + __builtin_shufflevector(x, y, even(I) + S...);
}

// out[k] = the sum of the lanes of v[k], for k < n. Writes whole vectors, beyond out[n - 1] too.
template <int n, int S, class Real>
inline void sums_of_lanes(const Vector<Real>* v, Real* out) {
    if constexpr (S == 0) {
        for (int i = 0; i < n; ++i) *(Loose<Real>*)(out + i * lanes<Real>) = v[i];
    } else {
        constexpr auto all = std::make_index_sequence<lanes<Real>>();
        Vector<Real> folded[(n + 1) / 2];
        for (int i = 0; i + 1 < n; i += 2) folded[i / 2] = fold<S>(v[i], v[i + 1], all);
        if constexpr (n % 2) folded[n / 2] = fold<S>(v[n - 1], v[n - 1], all);
        sums_of_lanes<(n + 1) / 2, S / 2>(folded, out);
    }
}

// out[k] = h . o_k for T output rows.
template <int T, class Real>
FIRTH_HOGWILD inline void dots(const Real* h, Real* const* o, int width, Real* out) {
    Vector<Real> sums[T] = {};
    for (int v = 0; v < width; ++v)
        for (int k = 0; k < T; ++k) sums[k] += vectors(h)[v] * vectors(o[k])[v];
    sums_of_lanes<T, lanes<Real> / 2>(sums, out);
}

// For T output rows and columns v to v + B, with g_ck = g[c * m + k] the steps:
//     e_c += sum_k g_ck o_k,   then   o_k += sum_c g_ck h_c.
template <int T, int B, class Real>
FIRTH_HOGWILD inline void step_columns(const Real* const* h, int hidden, Real* const* o, const Real* g, int m,
                                       Real* e, int width, int v, bool first) {
    Vector<Real> rows[B][T], moves[B][T] = {};
    for (int b = 0; b < B; ++b)
        for (int k = 0; k < T; ++k) rows[b][k] = vectors(o[k])[v + b];
    for (int c = 0; c < hidden; ++c) {
        Vector<Real>* sink = vectors(e) + c * width + v;
        Vector<Real> hidden_row[B], sum[B];
        for (int b = 0; b < B; ++b) {
            hidden_row[b] = vectors(h[c])[v + b];
            sum[b] = first ? Vector<Real>{} : sink[b];
        }
        for (int k = 0; k < T; ++k) {
            const Vector<Real> step = g[c * m + k] + Vector<Real>{};
            for (int b = 0; b < B; ++b) {
                sum[b] += step * rows[b][k];
                moves[b][k] += step * hidden_row[b];
            }
        }
        for (int b = 0; b < B; ++b) sink[b] = sum[b];
    }
    for (int b = 0; b < B; ++b)
        for (int k = 0; k < T; ++k) vectors(o[k])[v + b] += moves[b][k];  // a row drawn twice moves twice
}

template <int T, class Real>
inline void step(const Real* const* h, int hidden, Real* const* o, const Real* g, int m, Real* e, int width,
                 bool first) {
    constexpr int columns = vector_bytes == 64 ? 2 : 1;  // what fits in 32 registers, or in 16
    int v = 0;
    for (; v + columns <= width; v += columns) step_columns<T, columns>(h, hidden, o, g, m, e, width, v, first);
    for (; v < width; ++v) step_columns<T, 1>(h, hidden, o, g, m, e, width, v, first);
}

// Output rows are taken six at a time: six rows, six sums and their operands fill the sixteen registers of AVX2.
constexpr int tile = 6;

// Calls body.operator()<T>(k) for tiles of T rows from the k-th on that cover m rows.
template <class Body>
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
