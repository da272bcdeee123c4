// Arithmetic on rows: the dense products between hidden and output rows.
//
// Rows are multiples of 64 bytes, 64-byte aligned and padded with zeros, so no loop here has a remainder. One
// source serves every instruction set: FIRTH_BYTES is the width of its vectors.
#pragma once
#include <cstdint>
#include <utility>

// Threads read and move the same rows without locks (Hogwild, Niu et al. 2011). ThreadSanitizer looks away in the
// functions so marked, which do little else, and nowhere else.
#define FIRTH_UNROLL _Pragma("GCC unroll 16")
#define FIRTH_HOGWILD __attribute__((no_sanitize("thread")))
// A part of the functions that call it, to ThreadSanitizer, too.
#define FIRTH_INLINE inline __attribute__((always_inline))

// A vector that several products need is loaded once, and not, as the compiler likes, once for each.
#ifdef __x86_64__
#define FIRTH_LOADED(vector) asm("" : "+v"(vector))
#else
#define FIRTH_LOADED(vector)
#endif
// Likewise an address: what lies behind it is so many bytes behind it, and not at sums of its own.
#define FIRTH_FOUND(address) asm("" : "+r"(address))

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

// Have a row fetched from memory: to be read, so that other cores keep it too, or to be written, by this one
// alone. (To g++ that is nothing, and functions that do nothing else it would leave out, but for the asm.)
template <bool write, class Real>
inline void prefetch(const Real* row, uint32_t stride) {
    for (uint32_t i = 0; i < stride; i += 64 / sizeof(Real)) __builtin_prefetch(row + i, write, 3);
    asm volatile("");
}

// Stores what another core will read before this one does. A row that fills no vector is a bias.
template <class Real>
inline void store_past_caches(const Real* row, uint32_t stride, Real* to) {
#ifdef __x86_64__
    if (stride % lanes<Real> == 0) {
        for (uint32_t i = 0; i < stride; i += lanes<Real>) {
#ifdef __AVX__
            asm("vmovntps %1, %0" : "=m"(*vectors(to + i)) : "v"(*vectors(row + i)));
#else
            asm("movntps %1, %0" : "=m"(*vectors(to + i)) : "x"(*vectors(row + i)));
#endif
        }
        return;
    }
#endif
    for (uint32_t i = 0; i < stride; ++i) to[i] = row[i];
}
// Before others are told of it.
inline void past_caches_in_order() {
#ifdef __x86_64__
    asm volatile("sfence" ::: "memory");
#endif
}

// A row that will be wanted soon is asked for between the steps of other work, a line at each: a core that is
// asked for many lines at once forgets most.
template <class V>
inline void ask(const V* row, int v) {
    if (v % (64 / vector_bytes) == 0) __builtin_prefetch(row + v, 1, 3);
}

// The same number in every lane. (Adding to zero would be an instruction: it makes a plus of a minus zero.)
template <class Real>
inline Vector<Real> splat(Real x) {
    return x - Vector<Real>{};
}

// Vectors x and y hold sums in blocks of 2 * S lanes; the result holds, in blocks of S lanes, those of x and then
// those of y, each block's halves added. S = lanes / 2, lanes / 4 ... 1 in turn sums many vectors at once.
template <int S, class V, size_t... I>
inline V fold(V x, V y, std::index_sequence<I...>) {
    constexpr auto even = [](size_t i) { return int(i / S * 2 * S + i % S); };
    return __builtin_shufflevector(x, y, even(I)...) + __builtin_shufflevector(x, y, even(I) + S...);
}

// Lane i of the result is the sum of the lanes of v[i], for i < n; the other lanes hold anything.
template <int n, int S, class Real>
inline Vector<Real> sums_of_lanes(const Vector<Real>* v) {
    if constexpr (S == 0) {
        return v[0];
    } else {
        constexpr auto all = std::make_index_sequence<lanes<Real>>();
        Vector<Real> folded[(n + 1) / 2];
        FIRTH_UNROLL for (int i = 0; i + 1 < n; i += 2) folded[i / 2] = fold<S>(v[i], v[i + 1], all);
        if constexpr (n % 2) folded[n / 2] = fold<S>(v[n - 1], v[n - 1], all);
        return sums_of_lanes<(n + 1) / 2, S / 2, Real>(folded);
    }
}

// Scores are made in tiles of one or two hidden rows and so many output rows, so that the sums of a tile stay in
// registers, 32 of them where vectors have 16 lanes, else 16.
template <class Real>
constexpr int tile = lanes<Real> / 2;

// The scores of H hidden and T output rows: s_ck = h_c . o_k in lane k * H + c, anything in the lanes behind.
template <int H, int T, class Real>
FIRTH_HOGWILD inline Vector<Real> dots(const Real* const* h, Real* const* o, int width, const Real* ahead) {
    Vector<Real> sums[T * H];
    ask(vectors(ahead), 0);
    FIRTH_UNROLL for (int k = 0; k < T; ++k) FIRTH_UNROLL for (int c = 0; c < H; ++c) sums[k * H + c] =
        vectors(h[c])[0] * vectors(o[k])[0];
    for (int v = 1; v < width; ++v) {
        ask(vectors(ahead), v);
        Vector<Real> x[H];
        FIRTH_UNROLL for (int c = 0; c < H; ++c) x[c] = vectors(h[c])[v];
        FIRTH_UNROLL for (int k = 0; k < T; ++k) {
            Vector<Real> row = vectors(o[k])[v];
            FIRTH_LOADED(row);
            FIRTH_UNROLL for (int c = 0; c < H; ++c) sums[k * H + c] += x[c] * row;
        }
    }
    return sums_of_lanes<T * H, lanes<Real> / 2, Real>(sums);
}

// Rows are moved so many vectors wide at a time, while as much of hidden rows and their errors is in registers.
constexpr int breadth = vector_bytes == 64 ? 8 : 4;

// The steps g_ck = g[k * H + c] of `count` output rows, T vectors of each row from the v-th on: the moves
// o_k += sum_c g_ck h_c, and the errors e_c = sum_k g_ck o_k, put into e or if `add` onto what it holds; the e_c
// may be the h_c. A row that stands twice among the o_k gives the second time what it has become. With each of the
// first output rows goes one of those that are to be asked for.
template <int H, int T, class Real>
FIRTH_HOGWILD inline void step(const Real* const* h, Real* const* o, int count, int v, const Real* g,
                               Real* const* e, bool add, const Real* const* ahead, int asked) {
    Vector<Real> x[H][T], sums[H][T];
    FIRTH_UNROLL for (int c = 0; c < H; ++c) FIRTH_UNROLL for (int t = 0; t < T; ++t) {
        x[c][t] = vectors(h[c])[v + t];
        sums[c][t] = Vector<Real>{};
    }
    for (int k = 0; k < count; ++k) {
        if (k < asked) {
            const Vector<Real>* coming = vectors(ahead[k]) + v;
            FIRTH_FOUND(coming);
            FIRTH_UNROLL for (int t = 0; t < T; ++t) ask(coming, t);
        }
        Vector<Real>*row = vectors(o[k]) + v, steps[H];
        FIRTH_FOUND(row);
        FIRTH_UNROLL for (int c = 0; c < H; ++c) steps[c] = splat(g[k * H + c]);
        FIRTH_UNROLL for (int t = 0; t < T; ++t) {
            Vector<Real> o_k = row[t];
            FIRTH_LOADED(o_k);
            FIRTH_UNROLL for (int c = 0; c < H; ++c) sums[c][t] += steps[c] * o_k;
            FIRTH_UNROLL for (int c = 0; c < H; ++c) o_k += steps[c] * x[c][t];
            row[t] = o_k;
        }
    }
    // One after the other, for they may be the same row.
    FIRTH_UNROLL for (int c = 0; c < H; ++c) FIRTH_UNROLL for (int t = 0; t < T; ++t) {
        Vector<Real>& error = vectors(e[c])[v + t];
        error = add ? error + sums[c][t] : sums[c][t];
    }
}

// Calls body.operator()<T>(k) for tiles of T rows from the k-th on that cover m rows: full ones, and one with the
// rest. Both m and all T are multiples of `by`.
template <int full, int by = 1, class Body>
inline void for_tiles(int m, Body body) {
    int k = 0;
    for (; k + full <= m; k += full) body.template operator()<full>(k);
    [&]<int... I>(std::integer_sequence<int, I...>) {
        (void)((m - k == by * (I + 1) && (body.template operator()<by*(I + 1)>(k), true)) || ...);
    }
    (std::make_integer_sequence<int, full / by - 1>());
}

}  // namespace FIRTH_ISA
}  // namespace firth
