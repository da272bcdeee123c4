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

// So many output rows have their scores in one vector, the score s_ck in lane k * H + c.
template <int H, class Real>
constexpr int scored = lanes<Real> / H;

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

    // Those of the rows from the k-th on, in the lanes of their scores.
    template <int H>
    Vector<Real> vector_of_signs(int k) const {
        const Loose<Real>* const both = (const Loose<Real>*)(signs + 2 * k);
        if constexpr (H == 2) return both[0];
        return []<size_t... I>(Vector<Real> x, Vector<Real> y, std::index_sequence<I...>) {
            return __builtin_shufflevector(x, y, int(2 * I)...);
        }
        (both[0], both[1], std::make_index_sequence<lanes<Real>>());
    }
};

enum class Link { logistic, softmax };

// Each objective tells its link and whether output rows have biases, and picks the rows of a prediction: `pick`
// returns how many, the first, may be far away in memory. What it needs to pick the rows of a target it may have
// fetched beforehand. Ids come by falling frequency, those of inner nodes by falling weight.
struct Rule {
    static constexpr bool alike = false;     // predictions of neighbours look at much the same output rows
    static constexpr int targets = 2;        // so many may share the other output rows
    static constexpr bool draws = true;      // it needs negatives
    static constexpr bool varied = false;    // predictions look at different numbers of output rows
    static constexpr uint64_t wanted = 256;  // the output rows below this id by all threads

    template <class Real>
    static void expect(const Task<Real>&, uint32_t) {}

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
    static int pick(const Task<Real>& task, const Prediction& of, Draws& draws, Outputs<Real>& out) {
        out.add_targets(of);
        for (uint32_t k = 0; k < task.objective.noise.draws; ++k) {
            const uint32_t id = draws.next();
            out.add(id, id == of.targets[0] ? 0 : -1, id == of.targets[1] ? 0 : -1);
        }
        return out.count;
    }
};

// P(w|h) = product over w's path of s(+-theta.h) (Morin & Bengio 2005; Mikolov et al. 2013b).
struct HierarchicalSoftmax : Rule {
    static constexpr bool alike = true;
    static constexpr bool draws = false;
    static constexpr bool varied = true;
    static constexpr int targets = 1;
    static constexpr uint64_t wanted = 4096;
    static constexpr uint32_t hot = 256;  // the nodes below this id lie in a core's own cache
    static constexpr Link link = Link::logistic;
    static constexpr bool biased = false;

    template <class Real>
    static int pick(const Task<Real>& task, const Prediction& of, Draws&, Outputs<Real>& out) {
        const uint32_t target = of.targets[0];
        int count = 0, far = 0;
        if (target < task.objective.tree.written) {
            const Path& path = task.objective.tree.paths[target];
            // All are taken for steps, and counted are those that are: no branch to mispredict.
#pragma GCC ivdep
            for (int i = 0; i < Path::size; ++i) {
                const uint32_t step = path.steps[i];
                out.ids[i] = step >> 1;
                out.signs[2 * i] = out.signs[2 * i + 1] = sign(step);
                count += step != no_step;
                far += (step != no_step) & (step >> 1 >= hot);
            }
        }
        out.count = count;
        walk(task, unwritten(task, target), [&](uint32_t step) {
            out.add(step >> 1, sign(step), sign(step));
            far += step >> 1 >= hot;
        });
        return far;
    }

    template <class Real, class Body>
    static void foresee(const Task<Real>& task, uint32_t target, Body body) {
        if (target < task.objective.tree.written)
            for (const uint32_t step : task.objective.tree.paths[target].steps)
                if (step != no_step) body(step >> 1);
        walk(task, unwritten(task, target), [&](uint32_t step) { body(step >> 1); });
    }

    template <class Real>
    static void expect(const Task<Real>& task, uint32_t target) {
        const Tree& tree = task.objective.tree;
        if (target < tree.written)
            __builtin_prefetch(tree.paths + target);
        else
            __builtin_prefetch(tree.up + target);
    }

  private:
    static int sign(uint32_t step) {
        return 1 - 2 * int(step & 1);
    }

    // The first step of a path that is not written down, if there is one.
    template <class Real>
    static uint32_t unwritten(const Task<Real>& task, uint32_t target) {
        const Tree& tree = task.objective.tree;
        if (target >= tree.written) return tree.up[target];
        const uint32_t last = tree.paths[target].steps[Path::size - 1];
        return last == no_step ? no_step : tree.up[task.text.vocabulary + (last >> 1)];
    }

    template <class Real, class Body>
    static void walk(const Task<Real>& task, uint32_t step, Body body) {
        const uint32_t* const above = task.objective.tree.up + task.text.vocabulary;
        for (; step != no_step; step = above[step >> 1]) body(step);
    }
};

// softmax over the whole vocabulary: exact, and the yardstick of the others.
struct Softmax : Rule {
    static constexpr Link link = Link::softmax;
    static constexpr bool biased = false;
    static constexpr bool draws = false;
    static constexpr uint64_t wanted = 0;  // it wants all of them as much

    template <class Real>
    static int pick(const Task<Real>& task, const Prediction& of, Draws&, Outputs<Real>& out) {
        for (uint32_t id = 0; id < task.text.vocabulary; ++id)
            out.add(id, id == of.targets[0] ? 1 : -1, id == of.targets[1] ? 1 : -1);
        return out.count;
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
    static int pick(const Task<Real>& task, const Prediction& of, Draws& draws, Outputs<Real>& out) {
        out.add_targets(of);
        for (uint32_t k = 0; k < task.objective.noise.draws; ++k) out.add(draws.next(), -1, -1);
        return out.count;
    }
};

// softmax over target and sample on s_w + b_w - log(K q(w)), accidental hits of the target removed
// (Bengio & Senecal 2008; Jean et al. 2015).
struct SampledSoftmax : Rule {
    static constexpr Link link = Link::softmax;
    static constexpr bool biased = true;

    template <class Real>
    static int pick(const Task<Real>& task, const Prediction& of, Draws& draws, Outputs<Real>& out) {
        return NegativeSampling::pick(task, of, draws, out);
    }
};

// What is known of output rows, in the lanes of their scores.
template <int H, class Real>
inline Vector<Real> repeated(const Real* rows) {
    return []<size_t... I>(Vector<Real> x, std::index_sequence<I...>) {
        return __builtin_shufflevector(x, x, int(I / H)...);
    }
    (*(const Loose<Real>*)rows, std::make_index_sequence<lanes<Real>>());
}

// Scores become steps of binary logistic regressions, in place.
template <int H, class Real>
inline void logistic_link(Vector<Real>* scores, const Outputs<Real>& outputs, Real rate,
                          LogProduct<Real>& likelihood) {
    for (int k = 0; k < outputs.count; k += scored<H, Real>, ++scores) {
        const Vector<Real> sign = outputs.template vector_of_signs<H>(k);
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
    constexpr int rows = scored<H, Real>;
    const auto sign = [&](int i) { return outputs.template vector_of_signs<H>(i * rows); };
    const int filled = (outputs.count + rows - 1) / rows;
    Vector<Real> highest = splat(std::numeric_limits<Real>::lowest()), total = {}, labelled = {};
    for (int i = 0; i < filled; ++i) highest = sign(i) != 0 && scores[i] > highest ? scores[i] : highest;
    highest = across<H, Real>(highest, [](auto x, auto y) { return x > y ? x : y; });
    for (int i = 0; i < filled; ++i) {
        const Vector<Real> score = scores[i] - highest;
        labelled += sign(i) > 0 ? score : Vector<Real>{};
        total += scores[i] = sign(i) != 0 ? exponential(score) : Vector<Real>{};
    }
    const auto plus = [](auto x, auto y) { return x + y; };
    total = across<H, Real>(total, plus), labelled = across<H, Real>(labelled, plus);
    for (int i = 0; i < filled; ++i)
        scores[i] = rate * ((sign(i) > 0 ? splat(Real(1)) : Vector<Real>{}) - scores[i] / total);
    double likelihood = 0;
    for (int c = 0; c < H; ++c) likelihood += double(labelled[c]) - ::log(double(total[c]));
    return likelihood;
}

}  // namespace FIRTH_ISA
}  // namespace firth
