// Builds the table of Walker's alias method (Vose 1991): each slot keeps itself below its threshold and gives
// the rest of its equal share to its alias.
#pragma once
#include <vector>

#include "task.hpp"

namespace firth {

// `q` sums to 1 over `size` entries.
inline std::vector<AliasSlot> alias_table(const double* q, uint32_t size) {
    std::vector<AliasSlot> slots(size);
    std::vector<double> share(size);
    std::vector<uint32_t> poor, rich;
    for (uint32_t i = 0; i < size; ++i) {
        share[i] = q[i] * size;
        (share[i] < 1 ? poor : rich).push_back(i);
    }
    while (!poor.empty() && !rich.empty()) {
        const uint32_t p = poor.back(), r = rich.back();
        poor.pop_back();
        slots[p] = {uint32_t(share[p] * 4294967296.0), r};
        share[r] -= 1 - share[p];
        if (share[r] < 1) {
            rich.pop_back();
            poor.push_back(r);
        }
    }
    for (const auto& rest : {poor, rich})  // what is left differs from 1 by rounding alone
        for (uint32_t i : rest) slots[i] = {0xffffffff, i};
    return slots;
}

}  // namespace firth
