// Windows: sums and means by differences of running sums are what they are row by row, and so is what goes back.
#include <cmath>
#include <random>
#include <vector>

#include "../task.hpp"
#include "check.hpp"

#define FIRTH_ISA plain
#define FIRTH_BYTES 16
#include "../windows.hpp"

using namespace firth;

namespace {

constexpr uint32_t stride = 24, vocabulary = 1600;
const int most = plain::Windows<double>::run(vocabulary);

using Row = std::vector<double>;

double any(std::mt19937& random) {
    return double(random()) / 4294967296. - 0.5;
}

// The rows of a vocabulary, of which some may be frozen, and sentences over it, cut anywhere.
struct Scene {
    ContextSettings context;
    std::vector<uint8_t> frozen;
    Guarded<double> input{vocabulary * stride};
    std::vector<std::vector<uint32_t>> sentences;
    std::vector<plain::Stretch> stretches;

    explicit Scene(std::mt19937& random)
        : context{Architecture::cbow, 1 + uint32_t(random() % 7), random() % 2 > 0, random() % 2 > 0,
                  random() % 2 > 0},
          frozen(vocabulary) {
        for (size_t i = 0; i < input.size(); ++i) input.data()[i] = any(random);
        for (uint8_t& each : frozen) each = random() % 4 == 0;
        int left = 1 + int(random() % most);
        while (left > 0) {
            const bool first = sentences.empty();
            const int words = std::min(left, 1 + int(random() % 30)), before = first ? int(random() % 9) : 0;
            const int behind = (left -= words) > 0 ? 0 : int(random() % 9);
            sentences.emplace_back(size_t(before + words + behind));
            for (uint32_t& id : sentences.back()) id = random() % 40;
            stretches.push_back(
                {nullptr, nullptr, nullptr, before, before + words, before + words + behind, 0, 0});
        }
        for (size_t i = 0; i < sentences.size(); ++i)
            stretches[i].ids = stretches[i].inputs = stretches[i].outputs = sentences[i].data();
    }

    Row row(uint32_t id) const { return Row(input.data() + id * stride, input.data() + (id + 1) * stride); }

    // Calls body(n, window, stretch, at) for each position, with the window that it has.
    template <class Body>
    void each(plain::Random random, Body body) const {
        int n = 0;
        for (const plain::Stretch& stretch : stretches)
            for (int at = stretch.begin; at < stretch.end; ++at, ++n)
                body(n, plain::around(context, stretch, at, random), stretch, at);
    }
};

bool close(const Row& found, const Row& expected) {
    double far = 0;
    for (uint32_t j = 0; j < stride; ++j) far = std::max(far, std::abs(found[j] - expected[j]));
    return far < 1e-12;
}

void test_any_run(bool freeze) {
    std::mt19937 random(1);
    for (int round = 0; round < 300; ++round) {
        Scene scene(random);
        const Weights<double> weights{scene.input.data(), nullptr, nullptr, stride,
                                      freeze ? &scene.frozen[0] : nullptr};
        const Task<double> task{{nullptr, nullptr, 0, 0, vocabulary, nullptr}, scene.context, {}, weights};
        plain::Copies<double> input(scene.input.data(), stride, 0);
        plain::Windows<double> windows(task);
        const plain::Random same(7);
        plain::Random draws = same;
        for (const plain::Stretch& stretch : scene.stretches)
            windows.add(stretch, stretch.begin, stretch.end, draws, input);
        windows.gather(input);

        std::vector<Row> moved;
        for (uint32_t id = 0; id < vocabulary; ++id) moved.push_back(scene.row(id));
        scene.each(same, [&](int n, plain::Window window, const plain::Stretch& stretch, int at) {
            Row sum(stride), error(stride);
            const double share = scene.context.mean && window.words() > 0 ? 1. / window.words() : 1;
            const double share_of_error = scene.context.exact ? share : 1;
            const bool learnt = window.words() > 0 && random() % 4 > 0;
            for (double& each : error) each = learnt ? any(random) : 0;
            for (int i = window.from; i < window.to; ++i)
                for (uint32_t j = 0; j < stride && i != at; ++j) {
                    sum[j] += share * scene.input.data()[stretch.ids[i] * stride + j];
                    if (!freeze || !scene.frozen[stretch.ids[i]])
                        moved[stretch.ids[i]][j] += share_of_error * error[j];
                }
            CHECK(windows.has_words(n) == (window.words() > 0));
            CHECK(windows.id(n) == stretch.ids[at] && windows.target(n) == stretch.ids[at]);
            CHECK(close(Row(windows.hidden(n), windows.hidden(n) + stride), sum));
            std::copy(error.begin(), error.end(), windows.hidden(n));
            learnt ? windows.learn(n, 1) : windows.forget(n);
        });
        std::vector<Row> before;
        for (uint32_t id = 0; id < vocabulary; ++id) before.push_back(scene.row(id));
        windows.scatter(input);
        for (uint32_t id = 0; id < vocabulary; ++id) {
            CHECK(close(scene.row(id), moved[id]));
            CHECK(!freeze || !scene.frozen[id] || scene.row(id) == before[id]);
        }
        CHECK(scene.input.intact() && windows.size() == 0);
    }
}

}  // namespace

void test_windows() {
    test("windows: any run", [] { test_any_run(false); });
    test("windows: any run, some rows frozen", [] { test_any_run(true); });
}
