// Objectives: each says which output rows a prediction looks at, and how their scores become errors.
//
// A prediction has C hidden rows h_c and m output rows o_k. Everything is two dense products around one link:
//     s_ck = h_c . o_k (+ shift_k)  ->  g_ck = rate * (t_k - P_ck)  ->  o_k += sum_c g_ck h_c,  e_c = sum_k
//     g_ck o_k
// so that negatives shared by a window, a path in a tree and a whole softmax are the same few lines.
#pragma once
#include "math.hpp"
#include "random.hpp"

namespace firth {
namespace FIRTH_ISA {

template <class Real>
struct Outputs {
    uint32_t* ids;
    Real** rows;
    Real* signs;   // +1: the row should be predicted (t = 1), -1: it should not
    Real* shifts;  // added to the scores, where the objective has biases
    int count;

    void add(const Weights<Real>& weights, uint32_t id, Real sign) {
        ids[count] = id;
        rows[count] = weights.output + uint64_t(id) * weights.stride;
        signs[count++] = sign;
    }
};

enum class Link { logistic, softmax };

// -log s(u_o.h) - sum_k log s(-u_k.h); a draw equal to the target is skipped (Mikolov et al. 2013b).
struct NegativeSampling {
    static constexpr Link link = Link::logistic;
    static constexpr bool biased = false;

    template <class Real>
    static void pick(const Task<Real>& task, uint32_t target, Random& random, Outputs<Real>& out) {
        out.add(task.weights, target, 1);
        for (uint32_t k = 0; k < task.objective.noise.draws; ++k) {
            const uint32_t id = draw(task.objective.noise, random);
            if (id != target) out.add(task.weights, id, -1);
        }
    }
};

// P(w|h) = product over w's path of s(+-theta.h) (Morin & Bengio 2005; Mikolov et al. 2013b).
struct HierarchicalSoftmax {
    static constexpr Link link = Link::logistic;
    static constexpr bool biased = false;

    template <class Real>
    static void pick(const Task<Real>& task, uint32_t target, Random&, Outputs<Real>& out) {
        const Tree& tree = task.objective.tree;
        for (uint64_t i = tree.offsets[target]; i < tree.offsets[target + 1]; ++i)
            out.add(task.weights, tree.nodes[i], Real(tree.signs[i]));
    }
};

// softmax over the whole vocabulary: exact, and the yardstick of the others.
struct Softmax {
    static constexpr Link link = Link::softmax;
    static constexpr bool biased = false;

    template <class Real>
    static void pick(const Task<Real>& task, uint32_t target, Random&, Outputs<Real>& out) {
        for (uint32_t id = 0; id < task.text.vocabulary; ++id) out.add(task.weights, id, id == target ? 1 : -1);
    }
};

// The logistic form on s_w + b_w - log(K q(w)); draws equal to the target are kept (Gutmann & Hyvarinen
// 2012).
struct NoiseContrastive {
    static constexpr Link link = Link::logistic;
    static constexpr bool biased = true;

    template <class Real>
    static void pick(const Task<Real>& task, uint32_t target, Random& random, Outputs<Real>& out) {
        out.add(task.weights, target, 1);
        for (uint32_t k = 0; k < task.objective.noise.draws; ++k)
            out.add(task.weights, draw(task.objective.noise, random), -1);
    }
};

// softmax over target and sample on s_w + b_w - log(K q(w)), accidental hits of the target removed
// (Bengio & Senecal 2008; Jean et al. 2015).
struct SampledSoftmax {
    static constexpr Link link = Link::softmax;
    static constexpr bool biased = true;

    template <class Real>
    static void pick(const Task<Real>& task, uint32_t target, Random& random, Outputs<Real>& out) {
        NegativeSampling::pick(task, target, random, out);
    }
};

// Scores become steps of binary logistic regressions. `signs` and `scores` are flat over all (hidden row,
// output row) pairs, with room for one vector more.
template <class Real>
inline void logistic_link(Real* scores, Real* signs, int pairs, Real rate, LogProduct<Real>& likelihood) {
    *(Loose<Real>*)(scores + pairs) = Loose<Real>{} + 100;  // what fills up the last vector is certain
    *(Loose<Real>*)(signs + pairs) = Loose<Real>{} + 1;     // already: probability 1, step 0
    for (int i = 0; i < pairs; i += lanes<Real>) {
        const Vector<Real> sign = vectors(signs + i)[0];
        const Vector<Real> p = logistic<Real>(vectors(scores + i)[0] * sign);
        likelihood.multiply(p);
        vectors(scores + i)[0] = rate * sign * (1 - p);
    }
}

// Scores of one hidden row become steps of one multinomial regression; returns log P(target).
template <class Real>
inline double softmax_link(Real* scores, const Real* signs, int count, Real rate) {
    Real highest = scores[0], labelled = 0;
    for (int k = 1; k < count; ++k) highest = scores[k] > highest ? scores[k] : highest;
    for (int k = 0; k < count; ++k)
        if (signs[k] > 0) labelled = scores[k];
    double total = 0;
    for (int k = 0; k < count; k += lanes<Real>) {
        const Vector<Real> wide = exponential(Vector<Real>(*(Loose<Real>*)(scores + k) - highest));
        const int rest = count - k < lanes<Real> ? count - k : lanes<Real>;
        for (int i = 0; i < rest; ++i) total += scores[k + i] = wide[i];
    }
    const Real scale = Real(rate / total);
    for (int k = 0; k < count; ++k) scores[k] = (signs[k] > 0 ? rate : 0) - scores[k] * scale;
    return double(labelled - highest) - ::log(total);
}

}  // namespace FIRTH_ISA
}  // namespace firth
