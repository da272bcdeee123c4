// The tests of the core that need no Python: for sanitizers, for emulated machines, and for a quick look.
//
//     core_test               runs them all
//     core_test --expect SET  and fails, too, if the set of instructions chosen here is not SET
//     core_test --race        races on purpose: ThreadSanitizer must complain
#include <cstring>

#include "../task.hpp"
#include "check.hpp"

void test_context();
void test_copies();
void test_ingest();
void test_ngrams();
void test_training();
void test_windows();
void race_on_counters();

int main(int count, char** arguments) {
    if (count == 2 && std::strcmp(arguments[1], "--race") == 0) return race_on_counters(), 0;
    const std::string chosen = firth::choose_instruction_set().name;
    std::printf("instruction set chosen: %s\n", chosen.c_str());
    if (count == 3 && std::strcmp(arguments[1], "--expect") == 0)
        test("the choice is " + std::string(arguments[2]), [&] { CHECK(chosen == arguments[2]); });
    test_context();
    test_copies();
    test_ingest();
    test_ngrams();
    test_training();
    test_windows();
    std::printf("%d passed, %d failed\n", tally().passed, tally().failed);
    return tally().failed > 0;
}
