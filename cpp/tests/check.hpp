// What the C++ tests stand on: CHECK, test cases that count, and arrays whose neighbourhood is watched.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

struct Tally {
    int passed = 0, failed = 0;
    bool failing = false;  // the case that runs
};

inline Tally& tally() {
    static Tally all;
    return all;
}

#define CHECK(condition)                                                              \
    do {                                                                              \
        if (!(condition)) {                                                           \
            tally().failing = true;                                                   \
            std::printf("%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition); \
        }                                                                             \
    } while (false)

template <class Body>
void test(const std::string& name, Body body) {
    tally().failing = false;
    body();
    ++(tally().failing ? tally().failed : tally().passed);
    std::printf("%-4s %s\n", tally().failing ? "FAIL" : "ok", name.c_str());
    std::fflush(stdout);
}

// An array between two pages that cannot be touched. It ends where the second one begins, so that one step behind
// it ends the program; what is left between the first page and its beginning holds a pattern, and `intact` says
// whether it still does.
template <class T>
class Guarded {
  public:
    explicit Guarded(size_t size, T value = T()) : size_(size) {
        const size_t page = size_t(::sysconf(_SC_PAGESIZE)), bytes = size * sizeof(T);
        const size_t usable = (bytes / page + 1) * page;
        mapped_ = usable + 2 * page;
        void* memory = ::mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) std::perror("mmap"), std::abort();
        base_ = static_cast<uint8_t*>(memory);
        front_ = base_ + page;
        if (::mprotect(front_, usable, PROT_READ | PROT_WRITE) != 0) std::perror("mprotect"), std::abort();
        data_ = reinterpret_cast<T*>(front_ + usable - bytes);
        std::fill(front_, reinterpret_cast<uint8_t*>(data_), pattern);
        std::fill(begin(), end(), value);
        watch(true);
    }
    explicit Guarded(const std::vector<T>& values) : Guarded(values.size()) {
        std::copy(values.begin(), values.end(), data_);
    }
    ~Guarded() {
        watch(false);
        ::munmap(base_, mapped_);
    }
    Guarded(const Guarded&) = delete;
    Guarded& operator=(const Guarded&) = delete;

    T* data() const { return data_; }
    T* begin() const { return data_; }
    T* end() const { return data_ + size_; }
    size_t size() const { return size_; }

    bool intact() const {
        watch(false);
        const bool same =
            std::all_of(front_, reinterpret_cast<uint8_t*>(data_), [](uint8_t b) { return b == pattern; });
        watch(true);
        return same;
    }

  private:
    static constexpr uint8_t pattern = 0xa5;

    // AddressSanitizer sees reads of the pattern, too.
    void watch([[maybe_unused]] bool on) const {
#ifdef __SANITIZE_ADDRESS__
        const size_t bytes = size_t(reinterpret_cast<uint8_t*>(data_) - front_);
        on ? __asan_poison_memory_region(front_, bytes) : __asan_unpoison_memory_region(front_, bytes);
#endif
    }

    size_t size_, mapped_;
    uint8_t *base_, *front_;
    T* data_;
};
