// Objectives: each says which output rows a prediction looks at, and how their scores become errors.
//
// A prediction has C hidden rows h_c and m output rows o_k. Everything is two dense products around one link:
//     s_ck = h_c . o_k (+ shift_k)  ->  g_ck = rate * (t_k - P_ck)  ->  o_k += sum_c g_ck h_c,  e_c = sum_k
//     g_ck o_k
// so that negatives shared by a window, a path in a tree and a whole softmax are the same few lines.
#pragma once
#include <limits>

#include "context.hpp"
#include "math.hpp"

namespace firth {
namespace FIRTH_ISA {

template <class Real>
struct Outputs {
    uint32_t* ids;  // or places, where the rows of words and negatives are located beforehand
    Real** rows;
    // For each row two, what it is to the first target and what to the second: +1: it should be predicted (t = 1),
    // -1: it should not, 0: nothing is said of it. Where there is one target, hidden rows share it, and the two
    // are the same. 0 behind the last.
    Real* signs;
    Real* shifts;  // added to the scores, where the objective has biases
    int count;

    void add(uint32_t id, Real sign, Real second_sign) {
        ids[count] = id;
        signs[2 * count] = sign, signs[2 * count + 1] = second_sign;
        ++count;
    }

    void add_targets(const Prediction& of) {
        add(of.targets[0], 1, Real(of.several == 1));
        if (of.several == 2) add(of.targets[1], 0, 1);
    }

    // Those of a tile, in the lanes k * H + c of its scores; zero in the lanes behind.
    template <int H>
    Vector<Real> tile_of_signs(int k) const {
        const Vector<Real> both = *(const Loose<Real>*)(signs + 2 * k);
        if constexpr (H == 2) return both;
        return []<size_t... I>(Vector<Real> x, std::index_sequence<I...>) {
            return __builtin_shufflevector(x, Vector<Real>{}, (I < tile<Real> ? int(2 * I) : lanes<Real>)...);
        }
        (both, std::make_index_sequence<lanes<Real>>());
    }
};

enum class Link { logistic, softmax };

// Each objective tells its link, whether output rows have biases, and whether a row may be picked twice. What it
// needs to pick the rows of a target it may have fetched from memory beforehand. Ids come by falling frequency,
// those of inner nodes by falling weight.
struct Rule {
    static constexpr bool alike = false;     // predictions of neighbours look at much the same output rows
    static constexpr int targets = 2;        // so many may share the other output rows
    static constexpr bool draws = true;      // it needs negatives
    static constexpr bool varied = false;    // predictions look at different numbers of output rows
    static constexpr uint64_t wanted = 256;  // the output rows below this id by all threads

    template <class Real>
    static void expect(const Task<Real>&, uint32_t) {}

    // So many of the rows picked, the first, may be far away in memory.
    template <class Real>
    static int far(const Outputs<Real>& picked) {
        return picked.count;
    }

    // Tells `body` the ids of the rows that it may pick, but for negatives.
    template <class Real, class Body>
    static void foresee(const Task<Real>&, uint32_t target, Body body) {
        body(target);
    }
};

// -log s(u_o.h) - sum_k log s(-u_k.h); a draw equal to the target is skipped (Mikolov et al. 2013b).
struct NegativeSampling : Rule {
    static constexpr Link link = Link::logistic;
    static constexpr bool biased = false;

    template <class Real>
    static void pick(const Task<Real>& task, const Prediction& of, Draws& draws, Outputs<Real>& out) {
        out.add_targets(of);
        for (uint32_t k = 0; k < task.objective.noise.draws; ++k) {
            const uint32_t id = draws.next();
            out.add(id, id == of.targets[0] ? 0 : -1, id == of.targets[1] ? 0 : -1);
        }
    }
};

// P(w|h) = product over w's path of s(+-theta.h) (Morin & Bengio 2005; Mikolov et al. 2013b).
struct HierarchicalSoftmax : Rule {
    static constexpr bool alike = true;
    static constexpr bool draws = false;
    static constexpr bool varied = true;
    static constexpr int targets = 1;
    static constexpr uint64_t wanted = 4096, hot = 256;  // the nodes below this id lie in a core's own cache
    static constexpr Link link = Link::logistic;
    static constexpr bool biased = false;

    template <class Real>
    static void pick(const Task<Real>& task, const Prediction& of, Draws&, Outputs<Real>& out) {
        for_path(task, of.targets[0], [&](uint32_t step) {
            const Real sign = Real(1 - 2 * int(step & 1));
            out.add(step >> 1, sign, sign);
        });
    }

    template <class Real, class Body>
    static void foresee(const Task<Real>& task, uint32_t target, Body body) {
        for_path(task, target, [&](uint32_t step) { body(step >> 1); });
    }

    template <class Real>
    static int far(const Outputs<Real>& picked) {
        int nodes = 0;
        for (int k = 0; k < picked.count; ++k) nodes += picked.ids[k] >= hot;
        return nodes;
    }

    template <class Real, class Body>
    static void for_path(const Task<Real>& task, uint32_t target, Body body) {
        const Tree& tree = task.objective.tree;
        if (target < tree.written) {
            for (uint64_t i = tree.offsets[target]; i < tree.offsets[target + 1]; ++i) body(tree.steps[i]);
        } else {
            const uint32_t* above = tree.up + task.text.vocabulary;
            for (uint32_t step = tree.up[target]; step != no_step; step = above[step >> 1]) body(step);
        }
    }

    template <class Real>
    __attribute__((always_inline)) static void expect(const Task<Real>& task, uint32_t target) {
        const Tree& tree = task.objective.tree;
        __builtin_prefetch(target < tree.written ? tree.steps + tree.offsets[target] : tree.up + target);
    }
};

// softmax over the whole vocabulary: exact, and the yardstick of the others.
struct Softmax : Rule {
    static constexpr Link link = Link::softmax;
    static constexpr bool biased = false;
    static constexpr bool draws = false;
    static constexpr uint64_t wanted = 0;  // it wants all of them as much

    template <class Real>
    static void pick(const Task<Real>& task, const Prediction& of, Draws&, Outputs<Real>& out) {
        for (uint32_t id = 0; id < task.text.vocabulary; ++id)
            out.add(id, id == of.targets[0] ? 1 : -1, id == of.targets[1] ? 1 : -1);
    }

    template <class Real, class Body>
    static void foresee(const Task<Real>& task, uint32_t, Body body) {
        for (uint32_t id = 0; id < task.text.vocabulary; ++id) body(id);
    }
};

// The logistic form on s_w + b_w - log(K q(w)); draws equal to the target are kept (Gutmann & Hyvarinen
// 2012).
struct NoiseContrastive : Rule {
    static constexpr Link link = Link::logistic;
    static constexpr bool biased = true;

    template <class Real>
    static void pick(const Task<Real>& task, const Prediction& of, Draws& draws, Outputs<Real>& out) {
        out.add_targets(of);
        for (uint32_t k = 0; k < task.objective.noise.draws; ++k) out.add(draws.next(), -1, -1);
    }
};

// softmax over target and sample on s_w + b_w - log(K q(w)), accidental hits of the target removed
// (Bengio & Senecal 2008; Jean et al. 2015).
struct SampledSoftmax : Rule {
    static constexpr Link link = Link::softmax;
    static constexpr bool biased = true;

    template <class Real>
    static void pick(const Task<Real>& task, const Prediction& of, Draws& draws, Outputs<Real>& out) {
        NegativeSampling::pick(task, of, draws, out);
    }
};

// What is known of each output row k of a tile, in the lanes k * H + c of its scores; zero in the lanes behind.
template <int H, class Real>
inline Vector<Real> repeated(const Real* rows) {
    return []<size_t... I>(Vector<Real> x, std::index_sequence<I...>) {
        return __builtin_shufflevector(x, Vector<Real>{}, (I / H < tile<Real> ? int(I / H) : lanes<Real>)...);
    }
    (*(const Loose<Real>*)rows, std::make_index_sequence<lanes<Real>>());
}

// Scores, a vector a tile, become steps of binary logistic regressions, in place.
template <int H, class Real>
inline void logistic_link(Vector<Real>* scores, const Outputs<Real>& outputs, Real rate,
                          LogProduct<Real>& likelihood) {
    for (int k = 0; k < outputs.count; k += tile<Real>, ++scores) {
        const Vector<Real> sign = outputs.template tile_of_signs<H>(k);
        const Vector<Real> p = logistic<Real>(*scores * sign);
        likelihood.multiply(sign != 0 ? p : splat(Real(1)));
        *scores = rate * sign * (1 - p);
    }
}

// In every lane, `op` over all lanes of the same hidden row.
template <int H, class Real, class Op>
inline Vector<Real> across(Vector<Real> x, Op op) {
    return []<size_t... I>(Vector<Real> x, Op op, std::index_sequence<I...>) {
        const auto fold = [&]<int S>(auto self) {
            if constexpr (S >= H) {
                x = op(x, __builtin_shufflevector(x, x, int((I + S) % lanes<Real>)...));
                self.template operator()<S / 2>(self);
            }
        };
        fold.template operator()<lanes<Real> / 2>(fold);
        return x;
    }
    (x, op, std::make_index_sequence<lanes<Real>>());
}

// Scores become steps of one multinomial regression a hidden row; returns the sum of their log P(target).
template <int H, class Real>
inline double softmax_link(Vector<Real>* scores, const Outputs<Real>& outputs, Real rate) {
    const auto sign = [&](int i) { return outputs.template tile_of_signs<H>(i * tile<Real>); };
    const int tiles = (outputs.count + tile<Real> - 1) / tile<Real>;
    Vector<Real> highest = splat(std::numeric_limits<Real>::lowest()), total = {}, labelled = {};
    for (int i = 0; i < tiles; ++i) highest = sign(i) != 0 && scores[i] > highest ? scores[i] : highest;
    highest = across<H, Real>(highest, [](auto x, auto y) { return x > y ? x : y; });
    for (int i = 0; i < tiles; ++i) {
        const Vector<Real> score = scores[i] - highest;
        labelled += sign(i) > 0 ? score : Vector<Real>{};
        total += scores[i] = sign(i) != 0 ? exponential(score) : Vector<Real>{};
    }
    const auto plus = [](auto x, auto y) { return x + y; };
    total = across<H, Real>(total, plus), labelled = across<H, Real>(labelled, plus);
    for (int i = 0; i < tiles; ++i)
        scores[i] = rate * ((sign(i) > 0 ? splat(Real(1)) : Vector<Real>{}) - scores[i] / total);
    double likelihood = 0;
    for (int c = 0; c < H; ++c) likelihood += double(labelled[c]) - ::log(double(total[c]));
    return likelihood;
}

}  // namespace FIRTH_ISA
}  // namespace firth
