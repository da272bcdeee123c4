// Skip-gram with negative sampling as its formulas say and no faster, for Firth to be held against:
//
//     reference FOLDER STRIDE WINDOW SHRINK NEGATIVES EPOCHS RATE_FROM RATE_TO SEED ORDER
//
// One thread learns one pair after the other: a context word's input row predicts the centre word, beside
// negatives that are drawn for this pair alone. Nothing is shared and nothing is stale: every score sees every
// step before it.
//
// FOLDER holds arrays without headers: ids (uint32), offsets (uint64), and of each word keep, the probability that
// an occurrence survives subsampling, and noise, that of being drawn (both double). The float rows of `input` are
// the start and are replaced by what was learnt. ORDER is `strides`, Firth's way through the text, or
// `front-to-back`. Prints the seconds of training and the mean loss of a pair in the last epoch.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <random>
#include <string>
#include <vector>

template <class T>
std::vector<T> read(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    std::vector<T> items(size_t(file.tellg()) / sizeof(T));
    file.seekg(0).read(reinterpret_cast<char*>(items.data()), std::streamsize(items.size() * sizeof(T)));
    if (!file) std::exit(1);
    return items;
}

struct Random {
    std::mt19937_64 bits;
    double fraction() { return double(bits() >> 11) * 0x1p-53; }  // in [0, 1)
};

// Draws words: the first whose cumulative probability is above a random number. Between which words that one is
// stands in a table by the number's leading digits.
struct Noise {
    static constexpr size_t parts = 1 << 16;
    std::vector<double> sums;
    std::vector<size_t> first;

    explicit Noise(const std::vector<double>& probabilities) : sums(probabilities.size()) {
        std::partial_sum(probabilities.begin(), probabilities.end(), sums.begin());
        sums.back() = 1;  // what rounding lost
        for (size_t part = 0; part < parts; ++part) first.push_back(above(double(part) / parts, 0, sums.size()));
        first.push_back(sums.size() - 1);
    }
    size_t above(double number, size_t from, size_t to) const {
        return size_t(std::upper_bound(sums.data() + from, sums.data() + to, number) - sums.data());
    }
    size_t draw(Random& random) const {
        const double number = random.fraction();
        const size_t part = size_t(number * parts);
        return above(number, first[part], first[part + 1]);
    }
};

struct Model {
    size_t stride;
    std::vector<float> input, output = std::vector<float>(input.size()), error = std::vector<float>(stride);
    double loss = 0;
    uint64_t pairs = 0;

    // E = -log s(u_o h) - sum_k log s(-u_k h); a negative that is the target is passed over.
    void learn(size_t context, size_t target, const Noise& noise, int negatives, double rate, Random& random) {
        float* __restrict const h = &input[context * stride];
        float* __restrict const e = error.data();
        std::fill_n(e, stride, 0.f);
        for (int k = 0; k <= negatives; ++k) {
            const size_t word = k == 0 ? target : noise.draw(random);
            if (k > 0 && word == target) continue;
            float* __restrict const u = &output[word * stride];
            float score = 0;
#pragma omp simd reduction(+ : score)
            for (size_t i = 0; i < stride; ++i) score += u[i] * h[i];
            const double sign = k == 0 ? 1 : -1, right = 1 / (1 + std::exp(-sign * double(score)));
            const float step = float(rate * sign * (1 - right));
            for (size_t i = 0; i < stride; ++i) {
                e[i] += step * u[i];
                u[i] += step * h[i];
            }
            loss -= std::log(right);
        }
        for (size_t i = 0; i < stride; ++i) h[i] += e[i];
        ++pairs;
    }
};

struct Word {
    uint32_t id, sentence;
    uint64_t position;
};

// What subsampling leaves of the text, and where each block of the text begins in it.
struct Sample {
    std::vector<Word> words;
    std::vector<size_t> begins;

    Sample(const std::vector<uint32_t>& ids, const std::vector<uint64_t>& offsets, const std::vector<double>& keep,
           uint64_t block, Random& random) {
        for (uint32_t s = 0; s + 1 < offsets.size(); ++s)
            for (uint64_t p = offsets[s]; p < offsets[s + 1]; ++p) {
                if (p % block == 0) begins.push_back(words.size());
                if (ids[p] < keep.size() && random.fraction() < keep[ids[p]]) words.push_back({ids[p], s, p});
            }
        begins.push_back(words.size());
    }
};

int main(int count, char** arguments) {
    if (count != 11) return 2;
    const std::string folder = arguments[1] + std::string("/"), order = arguments[10];
    const size_t window = size_t(std::atoi(arguments[3]));
    const bool shrink = std::atoi(arguments[4]);
    const int negatives = std::atoi(arguments[5]), epochs = std::atoi(arguments[6]);
    const double rate_from = std::atof(arguments[7]), rate_to = std::atof(arguments[8]);
    const auto ids = read<uint32_t>(folder + "ids");
    const auto offsets = read<uint64_t>(folder + "offsets");
    const auto keep = read<double>(folder + "keep");
    const Noise noise(read<double>(folder + "noise"));
    Model model{size_t(std::atoi(arguments[2])), read<float>(folder + "input")};
    Random random{std::mt19937_64(std::strtoull(arguments[9], nullptr, 10))};

    // The last block, which may be shorter than the others, comes last in either order.
    constexpr uint64_t block = 2000;
    const uint64_t whole = ids.size() / block;
    uint64_t stride = order == "strides" ? uint64_t(double(whole) * 0.6180339887498949) + 1 : 1;
    while (std::gcd(stride, whole) > 1) ++stride;

    const auto began = std::chrono::steady_clock::now();
    for (int epoch = 0; epoch < epochs; ++epoch) {
        const Sample sample(ids, offsets, keep, block, random);
        const uint64_t start = order == "strides" && whole ? random.bits() % whole : 0;
        model.loss = 0, model.pairs = 0;
        for (uint64_t turn = 0; turn + 1 < sample.begins.size(); ++turn) {
            const uint64_t b = turn < whole ? (turn * stride + start) % whole : turn;
            for (size_t at = sample.begins[b]; at < sample.begins[b + 1]; ++at) {
                const Word& centre = sample.words[at];
                const double passed = double(turn * block + centre.position % block) / double(ids.size());
                const double rate = rate_from + (rate_to - rate_from) * (epoch + passed) / epochs;
                const size_t reach = shrink ? 1 + random.bits() % window : window;
                const size_t end = std::min(at + reach + 1, sample.words.size());
                for (size_t i = at - std::min(at, reach); i < end; ++i) {
                    const Word& context = sample.words[i];
                    if (i != at && context.sentence == centre.sentence)
                        model.learn(context.id, centre.id, noise, negatives, rate, random);
                }
            }
        }
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;

    std::ofstream out(folder + "input", std::ios::binary);
    out.write(reinterpret_cast<const char*>(model.input.data()),
              std::streamsize(model.input.size() * sizeof(float)));
    if (!out.flush()) return 1;
    std::printf("%g %g\n", seconds.count(), model.loss / double(model.pairs));
}
