// Which of the compiled instruction sets runs, chosen once a task.
#include <cstdlib>
#include <cstring>

#include "task.hpp"

namespace firth {

namespace plain {
void learn_float(const Task<float>&, const Epoch&, Counters&);
void learn_double(const Task<double>&, const Epoch&, Counters&);
}  // namespace plain

void learn_double(const Task<double>& task, const Epoch& epoch, Counters& counters) {
    plain::learn_double(task, epoch, counters);
}

#ifdef FIRTH_X86
namespace avx2 {
void learn_float(const Task<float>&, const Epoch&, Counters&);
}
namespace avx512 {
void learn_float(const Task<float>&, const Epoch&, Counters&);
}
static bool has_avx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
static bool has_avx512() {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
#endif

InstructionSet choose_instruction_set() {
    const char* wanted = std::getenv("FIRTH_ISA");
    const auto allowed = [wanted](const char* name) { return !wanted || std::strcmp(wanted, name) == 0; };
#ifdef FIRTH_X86
    if (allowed("avx512") && has_avx512()) return {"avx512", avx512::learn_float};
    if (allowed("avx2") && has_avx2()) return {"avx2", avx2::learn_float};
#endif
    if (allowed("plain")) return {"plain", plain::learn_float};
    return {nullptr, nullptr};
}

}  // namespace firth
