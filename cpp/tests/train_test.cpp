// The loop, for every set of instructions that this machine runs, every context and every objective: it learns, it
// learns the same in all of them, and it writes nowhere but into the rows it was given.
#include <atomic>
#include <cmath>
#include <latch>
#include <random>
#include <thread>
#include <type_traits>

#include "../alias.hpp"
#include "../huffman.hpp"
#include "../task.hpp"
#include "check.hpp"

using namespace firth;

namespace {

using Sentences = std::vector<std::vector<uint32_t>>;
using Random = std::mt19937_64;

constexpr uint32_t everything = 0xffffffff;  // as a keep threshold: every occurrence survives

struct Corpus {
    uint32_t vocabulary;
    Guarded<uint32_t> ids;
    Guarded<uint64_t> offsets;
    Guarded<uint32_t> keep;

    Corpus(uint32_t vocabulary, const Sentences& sentences)
        : vocabulary(vocabulary),
          ids(joined(sentences)),
          offsets(starts(sentences)),
          keep(vocabulary, everything) {}

    Text view() const {
        return {ids.data(), offsets.data(), ids.size(), offsets.size() - 1, vocabulary, keep.data()};
    }

  private:
    static std::vector<uint32_t> joined(const Sentences& sentences) {
        std::vector<uint32_t> all;
        for (const auto& each : sentences) all.insert(all.end(), each.begin(), each.end());
        return all;
    }
    static std::vector<uint64_t> starts(const Sentences& sentences) {
        std::vector<uint64_t> all = {0};
        for (const auto& each : sentences) all.push_back(all.back() + each.size());
        return all;
    }
};

// Words that keep company: for a while they are few, then others. Now and then one is not in the vocabulary.
std::vector<uint32_t> sentence(uint32_t vocabulary, size_t length, Random& random) {
    std::vector<uint32_t> words(length);
    uint32_t topic = uint32_t(random() % vocabulary);
    for (uint32_t& each : words) {
        if (random() % 50 == 0) topic = uint32_t(random() % vocabulary);
        each = random() % 40 ? uint32_t((topic + random() % 4) % vocabulary) : vocabulary + uint32_t(random() % 3);
    }
    return words;
}

// Several blocks, the last not whole: a sentence that reaches over whole blocks, then short and empty ones.
Sentences long_text(uint32_t vocabulary) {
    constexpr size_t enough = 25'000, longest = enough / 2;
    static_assert(longest > tokens_of_a_block(0, false));
    Random random(1);
    Sentences text = {{}, sentence(vocabulary, 30, random), sentence(vocabulary, longest, random)};
    for (size_t tokens = 30 + longest; tokens < enough; tokens += text.back().size())
        text.push_back(sentence(vocabulary, random() % 30, random));
    text.emplace_back();
    return text;
}

// Over a hundred blocks for each of two threads.
Sentences very_long_text(uint32_t vocabulary) {
    Random random(4);
    Sentences text;
    for (size_t tokens = 0; tokens <= 202 * tokens_of_a_block(0, false); tokens += text.back().size())
        text.push_back(sentence(vocabulary, 1'000, random));
    return text;
}

Sentences short_text(uint32_t vocabulary) {
    Random random(2);
    Sentences text;
    for (size_t length : {0, 1, 2, 0, 0, 7, 1, 3, 20, 0}) text.push_back(sentence(vocabulary, length, random));
    return text;
}

// A tree as lopsided as can be, its paths 1, 2, 3 ... V - 1 nodes long: every number of tiles, every rest.
// Half of them are written down.
struct Paths {
    std::vector<uint32_t> up;
    std::vector<Path> written;
    uint32_t longest;

    explicit Paths(uint32_t vocabulary) {
        for (uint32_t word = 0; word + 1 < vocabulary; ++word) up.push_back(2 * word);
        up.push_back(vocabulary > 1 ? 2 * (vocabulary - 2) + 1 : no_step);
        for (uint32_t node = 0; node + 1 < vocabulary; ++node) up.push_back(node ? 2 * (node - 1) + 1 : no_step);
        written = write_paths(up.data(), vocabulary, vocabulary / 2);
        longest = longest_path(up.data(), vocabulary);
    }
};

bool biased(Objective objective) {
    return objective == Objective::nce || objective == Objective::sampled_softmax;
}

// Weights and whatever the objective needs besides, each array between its guards.
template <class Real>
class Model {
  public:
    Model(const Corpus& corpus, ContextSettings context, Objective objective, uint32_t dim, uint32_t draws)
        : dim_(dim),
          stride_((dim * sizeof(Real) + 63) / 64 * 64 / sizeof(Real)),
          rows_(corpus.vocabulary - (objective == Objective::hierarchical_softmax)),
          paths_(corpus.vocabulary),
          input_(size_t(corpus.vocabulary) * stride_),
          output_(size_t(rows_) * stride_),
          bias_(biased(objective) ? rows_ : 0, -Real(std::log(corpus.vocabulary))),
          slots_(alias_table(std::vector<double>(corpus.vocabulary, 1. / corpus.vocabulary).data(),
                             corpus.vocabulary)),
          log_expected_(corpus.vocabulary, float(std::log(double(draws) / corpus.vocabulary))),
          up_(paths_.up),
          written_(paths_.written),
          task_{corpus.view(),
                context,
                {objective,
                 {slots_.data(), corpus.vocabulary, draws, log_expected_.data()},
                 {up_.data(), written_.data(), corpus.vocabulary / 2, paths_.longest}},
                {input_.data(), output_.data(), biased(objective) ? bias_.data() : nullptr, stride_, nullptr}} {
        Random random(3);
        for (uint32_t row = 0; row < corpus.vocabulary; ++row)
            for (uint32_t i = 0; i < dim; ++i)
                input_.data()[size_t(row) * stride_ + i] = Real(double(random()) / 18446744073709551616. - 0.5);
    }

    const Task<Real>& task() const { return task_; }
    const Guarded<Real>& input() const { return input_; }

    std::vector<Real> everything() const {
        std::vector<Real> all;
        for (const Guarded<Real>* each : {&input_, &output_, &bias_})
            all.insert(all.end(), each->data(), each->data() + each->size());
        return all;
    }

    // Nothing was written around the arrays, nor into the columns that fill up a row.
    void check_bounds() const {
        CHECK(input_.intact() && output_.intact() && bias_.intact());
        CHECK(padding_is_zero(input_) && padding_is_zero(output_));
    }

  private:
    bool padding_is_zero(const Guarded<Real>& matrix) const {
        for (size_t i = 0; i < matrix.size(); ++i)
            if (i % stride_ >= dim_ && matrix.data()[i] != 0) return false;
        return true;
    }

    uint32_t dim_, stride_, rows_;
    Paths paths_;
    Guarded<Real> input_, output_, bias_;
    Guarded<AliasSlot> slots_;
    Guarded<float> log_expected_;
    Guarded<uint32_t> up_;
    Guarded<Path> written_;
    Task<Real> task_;
};

template <class Real>
using LearnIn = void (*)(const Task<Real>&, const Epoch&, Counters&);

struct Outcome {
    uint64_t tokens = 0, predictions = 0;
    double loss = 0;
};

Outcome seen(const std::vector<Counters>& counters) {
    Outcome sum;
    for (const Counters& each : counters) {
        double loss;
        __atomic_load(&each.loss, &loss, __ATOMIC_RELAXED);
        sum.tokens += __atomic_load_n(&each.tokens, __ATOMIC_RELAXED);
        sum.predictions += __atomic_load_n(&each.predictions, __ATOMIC_RELAXED);
        sum.loss += loss;
    }
    return sum;
}

constexpr double rate = 0.03;

// One epoch at `rate` (or 0) by so many threads, which begin together; the calling thread watches, and may have
// them stop as soon as it sees a token counted. In rounds, or racing.
template <class Real>
Outcome run_epoch(LearnIn<Real> learn, const Task<Real>& task, double rate, unsigned threads,
                  bool stop_early = false, bool in_rounds = false) {
    uint64_t next_block = 0;
    int32_t stop = 0;
    Meeting meeting{};
    std::vector<Counters> counters(threads);
    std::atomic<unsigned> running = threads;
    std::latch start(threads);
    std::vector<std::thread> workers;
    for (unsigned i = 0; i < threads; ++i)
        workers.emplace_back([&, i] {
            start.arrive_and_wait();
            learn(task, {7, 0, rate, rate / 2, &next_block, &stop, i, threads, in_rounds ? &meeting : nullptr},
                  counters[i]);
            --running;
        });
    while (running > 0) {
        if (stop_early && seen(counters).tokens > 0) __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
        std::this_thread::yield();
    }
    for (std::thread& each : workers) each.join();
    return seen(counters);
}

struct NamedContext {
    const char* name;
    ContextSettings settings;
};
struct NamedObjective {
    const char* name;
    Objective objective;
};

constexpr NamedContext contexts[] = {
    {"skip-gram", {Architecture::skipgram, 4, true, false, false}},
    {"CBOW, mean", {Architecture::cbow, 4, true, true, true}},
    {"CBOW, word2vec.c's mean", {Architecture::cbow, 4, false, true, false}},
    {"CBOW, sum", {Architecture::cbow, 2, false, false, true}},
};
constexpr NamedObjective objectives[] = {
    {"negative sampling", Objective::negative_sampling},
    {"hierarchical softmax", Objective::hierarchical_softmax},
    {"softmax", Objective::softmax},
    {"NCE", Objective::nce},
    {"sampled softmax", Objective::sampled_softmax},
};

constexpr uint32_t words = 41;

// Two epochs of a long text lower the loss. What is counted must be the same whoever learns; the loss of one
// thread differs between sets of instructions by rounding alone. `expected` holds what the first set came to.
template <class Real>
void test_learning(LearnIn<Real> learn, const Corpus& corpus, ContextSettings context, Objective objective,
                   Outcome& expected) {
    const uint32_t dim = 3 + uint32_t(objective) * 8;  // 3, 11, 19, 27, 35
    for (unsigned threads : {1, 2}) {
        Model<Real> model(corpus, context, objective, dim, 5);
        const Outcome before = run_epoch(learn, model.task(), 0, threads);
        run_epoch(learn, model.task(), rate, threads);
        const Outcome after = run_epoch(learn, model.task(), rate, threads);
        CHECK(after.loss < 0.8 * before.loss);
        model.check_bounds();
        if (expected.tokens == 0) expected = after;
        CHECK(after.tokens == corpus.ids.size());
        CHECK(before.predictions == expected.predictions && after.predictions == expected.predictions);
        CHECK(std::fabs(after.loss / expected.loss - 1) < (threads == 1 ? 1e-5 : 0.1));
    }
}

// In rounds, two epochs come to the same numbers whatever the number of threads, and learn: the loss falls to less
// than such a share.
template <class Real>
void test_rounds(LearnIn<Real> learn, const Corpus& corpus, ContextSettings context, Objective objective,
                 double share) {
    const Model<Real> fresh(corpus, context, objective, 10, 5);
    const Outcome before = run_epoch(learn, fresh.task(), 0, 1, false, true);
    std::vector<Real> expected;
    double loss = 0;
    for (unsigned threads : {1, 2, 3, 9}) {
        Model<Real> model(corpus, context, objective, 10, 5);
        run_epoch(learn, model.task(), rate, threads, false, true);
        const Outcome after = run_epoch(learn, model.task(), rate, threads, false, true);
        model.check_bounds();
        if (threads == 1) expected = model.everything(), loss = after.loss;
        CHECK(after.tokens == corpus.ids.size() && after.predictions == before.predictions);
        CHECK(after.loss == loss && after.loss < share * before.loss);
        CHECK(model.everything() == expected);
    }
}

// So many blocks that threads copy the rows that all want: some of a large vocabulary, all of a small one.
template <class Real>
void test_crowd(LearnIn<Real> learn, const Corpus& corpus, Objective objective) {
    Model<Real> model(corpus, contexts[0].settings, objective, 3, 5);
    const Outcome before = run_epoch(learn, model.task(), 0, 2);
    const Outcome after = run_epoch(learn, model.task(), rate, 2);
    model.check_bounds();
    CHECK(after.tokens == corpus.ids.size() && after.predictions == before.predictions);
    CHECK(after.loss < before.loss);
}

// Rows of every length, as many negatives as make every rest of a tile, windows longer than any sentence.
template <class Real>
void test_shapes(LearnIn<Real> learn, const Corpus& corpus, ContextSettings context, Objective objective) {
    context.window = 50;
    for (uint32_t dim = 1; dim <= 35; ++dim) {
        Model<Real> model(corpus, context, objective, dim, 1 + dim % 14);
        const Outcome outcome = run_epoch(learn, model.task(), rate / 10, 1);  // sums of whole sentences are long
        CHECK(outcome.tokens == corpus.ids.size());
        CHECK(std::isfinite(outcome.loss));
        model.check_bounds();
    }
}

template <class Real>
void test_stop(LearnIn<Real> learn, const Corpus& corpus) {
    Model<Real> model(corpus, contexts[0].settings, Objective::softmax, 10, 0);
    const Outcome outcome = run_epoch(learn, model.task(), rate, 2, true);
    CHECK(outcome.tokens > 0 && outcome.tokens <= corpus.ids.size());
    model.check_bounds();
}

struct Corpora {
    Corpus text{words, long_text(words)}, odd{words, short_text(words)}, one_word{1, short_text(1)},
        empty{words, {}}, large{9'000, long_text(9'000)},
        crowds[2] = {{words, very_long_text(words)}, {300, very_long_text(300)}};

    // Subsampling leaves a fifth of the long text, which is long for its blocks' sake alone, and less of longer
    // ones.
    Corpora() {
        std::fill(text.keep.begin(), text.keep.end(), everything / 5);
        for (Corpus& each : crowds) std::fill(each.keep.begin(), each.keep.end(), everything / 20);
    }
};

using Expected = Outcome[std::size(contexts)][std::size(objectives)];

template <class Real>
void test_set(const std::string& set, LearnIn<Real> learn, const Corpora& corpora, Expected& expected) {
    for (size_t c = 0; c < std::size(contexts); ++c)
        for (size_t o = 0; o < std::size(objectives); ++o) {
            const auto& [context_name, context] = contexts[c];
            const auto& [objective_name, objective] = objectives[o];
            test(set + ": " + context_name + ", " + objective_name, [&, context = context, objective = objective] {
                test_learning(learn, corpora.text, context, objective, expected[c][o]);
                test_rounds(learn, corpora.text, context, objective, 0.8);
                if (c < 2 && o != 1 && o != 2)  // those that draw
                    test_rounds(learn, corpora.large, context, objective, 1);
                for (const Corpus* corpus : {&corpora.odd, &corpora.one_word, &corpora.empty})
                    test_shapes(learn, *corpus, context, objective);
            });
        }
    for (const auto& [name, objective] : objectives)
        test(set + ": a crowd, " + name, [&, objective = objective] {
            for (const Corpus& corpus : corpora.crowds) test_crowd(learn, corpus, objective);
        });
    test(set + ": stops when told", [&] { test_stop(learn, corpora.text); });
}

}  // namespace

void test_training() {
    const Corpora corpora;
    Expected expected;
    test_set<double>("double", learn_double, corpora, expected);
    for (const char* name : {"plain", "avx2", "avx512"}) {
        ::setenv("FIRTH_ISA", name, 1);
        const InstructionSet set = choose_instruction_set();
        if (set.name)
            test_set<float>(name, set.learn, corpora, expected);
        else
            std::printf("     %s: not on this machine\n", name);
    }
    test("an unknown set of instructions is not chosen", [] {
        ::setenv("FIRTH_ISA", "abacus", 1);
        CHECK(choose_instruction_set().name == nullptr);
    });
    ::unsetenv("FIRTH_ISA");
}

// What no caller may do: two threads with the same counters.
void race_on_counters() {
    const Corpora corpora;
    const Model<float> model(corpora.text, contexts[0].settings, Objective::negative_sampling, 10, 5);
    uint64_t next_block = 0;
    const int32_t stop = 0;
    const Epoch epoch{7, 0, 0.05, 0, &next_block, &stop, 0, 2, nullptr};
    Counters counters{};
    std::thread other([&] { choose_instruction_set().learn(model.task(), epoch, counters); });
    choose_instruction_set().learn(model.task(), epoch, counters);
    other.join();
}
