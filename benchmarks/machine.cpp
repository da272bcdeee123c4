// What the machine can do of what word2vec needs, and no more:
//
//     machine fma SECONDS THREADS                    multiply-adds of floats a second, all in registers
//     machine rows SECONDS THREADS IDS ROWS STRIDE   rows of STRIDE floats loaded, changed and stored a second,
//                                                    in the order of the uint32 ids of the file IDS
//
//     machine handover                               nanoseconds until one core sees what another has written
//
// Compiled with BYTES, the width of a vector.
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

typedef float Vector __attribute__((vector_size(BYTES), may_alias));
constexpr int lanes = BYTES / sizeof(float);
constexpr size_t huge_page = 2 << 20;

// Runs `work(thread)` again and again on each thread, all at once, for so long. The sum of what it counts a
// second.
double rate(double seconds, int threads, const std::function<uint64_t(int)>& work) {
    using Clock = std::chrono::steady_clock;
    std::atomic<int> waiting{threads};
    std::vector<double> rates(threads);
    std::vector<std::thread> running;
    for (int t = 0; t < threads; ++t)
        running.emplace_back([&, t] {
            for (--waiting; waiting > 0;) {
            }
            uint64_t count = 0;
            const auto began = Clock::now();
            double passed = 0;
            while (passed < seconds) {
                count += work(t);
                passed = std::chrono::duration<double>(Clock::now() - began).count();
            }
            rates[t] = double(count) / passed;
        });
    double sum = 0;
    for (int t = 0; t < threads; ++t) {
        running[t].join();
        sum += rates[t];
    }
    return sum;
}

// Two threads count in turn, each waiting for the other's number. The best of the tries of half a second: in the
// others one of them had no core.
double handover() {
    using Clock = std::chrono::steady_clock;
    const auto since = [](Clock::time_point then) {
        return std::chrono::duration<double, std::nano>(Clock::now() - then).count();
    };
    constexpr uint64_t turns = 20, over = ~uint64_t(0);
    alignas(64) std::atomic<uint64_t> number{0};
    std::thread other([&] {
        for (uint64_t odd = 1;; odd += 2) {
            uint64_t seen;
            while ((seen = number) != odd)
                if (seen == over) return;
            number = odd + 1;
        }
    });
    double best = 1e9;
    uint64_t even = 0;
    for (const auto start = Clock::now(); since(start) < 5e8;) {
        const auto began = Clock::now();
        for (const uint64_t end = even + turns; even < end; even += 2) {
            number = even + 1;
            while (number != even + 2) {
            }
        }
        best = std::min(best, since(began) / turns);
    }
    number = over;
    other.join();
    return best;
}

// Twelve sums that do not wait for one another: more than any core has under way.
uint64_t multiply_add() {
    constexpr int sums = 12, times = 100'000;
    volatile float given = 0.5f;
    const Vector x = Vector{} + given, y = x;
    Vector sum[sums];
    for (int s = 0; s < sums; ++s) sum[s] = Vector{} + given;  // equal, but the compiler cannot know
    for (int i = 0; i < times; ++i)
        for (int s = 0; s < sums; ++s) sum[s] = sum[s] * x + y;
    Vector all = {};
    for (int s = 0; s < sums; ++s) all += sum[s];
    given = all[0];
    return uint64_t(times) * sums * lanes;
}

std::vector<uint32_t> read_ids(const char* path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    std::vector<uint32_t> ids(bytes.size() / sizeof(uint32_t));
    std::memcpy(ids.data(), bytes.data(), ids.size() * sizeof(uint32_t));
    return ids;
}

// Zeros on huge pages where the system gives them, as Firth's matrices lie.
float* matrix(size_t numbers) {
    const size_t size = numbers * sizeof(float);
    void* memory = mmap(nullptr, size + huge_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::exit(1);
#ifdef MADV_HUGEPAGE
    madvise(memory, size + huge_page, MADV_HUGEPAGE);
#endif
    const uintptr_t aligned = (uintptr_t(memory) + huge_page - 1) / huge_page * huge_page;
    std::memset(reinterpret_cast<void*>(aligned), 0, size);
    return reinterpret_cast<float*>(aligned);
}

struct Rows {
    std::vector<uint32_t> ids;
    float* numbers;
    size_t stride;
    std::vector<size_t> at;  // where each thread is in its part of the ids

    // The next few thousand rows of a thread's part; those to come are on their way from memory meanwhile.
    uint64_t update(int thread) {
        constexpr size_t piece = 4096, ahead = 28;  // four predictions; more gains nothing
        const size_t part = ids.size() / at.size(), begin = part * thread;
        if (at[thread] + piece + ahead > part) at[thread] = 0;
        const uint32_t* id = ids.data() + begin + at[thread];
        for (size_t i = 0; i < piece; ++i) {
            const float* coming = numbers + id[i + ahead] * stride;
            for (size_t f = 0; f < stride; f += 64 / sizeof(float)) __builtin_prefetch(coming + f, 1, 3);
            Vector* row = reinterpret_cast<Vector*>(numbers + id[i] * stride);
            for (size_t v = 0; v < stride / lanes; ++v) row[v] += 1;
        }
        at[thread] += piece;
        return piece;
    }
};

int main(int count, char** arguments) {
    const std::string wanted = count > 1 ? arguments[1] : "";
    const double seconds = count > 2 ? std::atof(arguments[2]) : 0;
    const int threads = count > 3 ? std::atoi(arguments[3]) : 0;
    if (wanted == "handover") {
        std::printf("%g\n", handover());
    } else if (wanted == "fma" && count == 4) {
        std::printf("%g\n", rate(seconds, threads, [](int) { return multiply_add(); }));
    } else if (wanted == "rows" && count == 7) {
        const size_t stride = std::atoi(arguments[6]);
        float* numbers = matrix(std::atoi(arguments[5]) * stride);
        Rows rows{read_ids(arguments[4]), numbers, stride, std::vector<size_t>(threads)};
        std::printf("%g\n", rate(seconds, threads, [&](int thread) { return rows.update(thread); }));
    } else {
        return 2;
    }
}
