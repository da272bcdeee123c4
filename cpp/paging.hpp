// Advice to the system about mapped memory.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace firth {

// Advice about the pages that hold some numbers; it may be refused, and then things are as before.
template <class T>
void advise(const T* from, const T* to, int advice) {
    static const uintptr_t page = uintptr_t(::sysconf(_SC_PAGESIZE));
    const uintptr_t begin = uintptr_t(from) / page * page;
    ::madvise(reinterpret_cast<void*>(begin), uintptr_t(to) - begin, advice);
}

}  // namespace firth
