#include "huffman.hpp"

#include <algorithm>

#include "task.hpp"

namespace firth {

std::vector<uint32_t> huffman(const int64_t* counts, size_t size) {
    if (size == 0) return {};
    std::vector<uint32_t> up(2 * size - 1, no_step);
    std::vector<uint64_t> weights(size - 1);  // of inner nodes in the order in which they arise: they rise
    const auto id = [size](size_t made) { return size - 2 - made; };
    size_t leaf = size, inner = 0;  // one past the lightest leaf, and the lightest inner node, unmerged
    for (size_t made = 0; made < weights.size(); ++made) {
        for (uint32_t right : {0, 1}) {  // the lighter child first
            const bool takes_leaf = leaf > 0 && (inner == made || uint64_t(counts[leaf - 1]) <= weights[inner]);
            weights[made] += takes_leaf ? uint64_t(counts[leaf - 1]) : weights[inner];
            up[takes_leaf ? --leaf : size + id(inner++)] = uint32_t(2 * id(made) + right);
        }
    }
    return up;
}

WrittenPaths write_paths(const uint32_t* up, size_t words, size_t written) {
    WrittenPaths paths;
    const uint32_t* above = up + words;
    std::vector<uint32_t> depths(words - 1);  // of inner nodes
    for (size_t node = 1; node + 1 < words; ++node) depths[node] = depths[above[node] / 2] + 1;
    for (size_t word = 0; word < words && words > 1; ++word)
        paths.longest = std::max(paths.longest, depths[up[word] / 2] + 1);
    for (size_t word = 0; word < std::min(words, written); ++word) {
        for (uint32_t step = up[word]; step != no_step; step = above[step / 2]) paths.steps.push_back(step);
        paths.offsets.push_back(paths.steps.size());
    }
    return paths;
}

}  // namespace firth
