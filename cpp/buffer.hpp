// Memory of a thread's own.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <new>

namespace firth {
namespace FIRTH_ISA {

// Room for `count` numbers, on cache lines of its own. What is never written takes no memory.
template <class T>
class Buffer {
  public:
    explicit Buffer(uint64_t count)
        : data_(static_cast<T*>(::aligned_alloc(64, (count * sizeof(T) / 64 + 2) * 64))) {
        if (!data_) throw std::bad_alloc();
    }
    Buffer(const Buffer&) = delete;
    ~Buffer() { ::free(data_); }
    operator T*() const { return data_; }

  private:
    T* data_;
};

}  // namespace FIRTH_ISA
}  // namespace firth
