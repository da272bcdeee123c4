#include "huffman.hpp"

#include <algorithm>

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

std::vector<Path> write_paths(const uint32_t* up, size_t words, size_t written) {
    std::vector<Path> paths(std::min(words, written));
    for (size_t word = 0; word < paths.size(); ++word) {
        uint32_t step = up[word];
        for (uint32_t& each : paths[word].steps) {
            each = step;
            if (step != no_step) step = up[words + step / 2];
        }
    }
    return paths;
}

uint32_t longest_path(const uint32_t* up, size_t words) {
    if (words < 2) return 0;
    std::vector<uint32_t> lengths(words - 1);  // of the paths of inner nodes
    for (size_t node = 1; node + 1 < words; ++node) lengths[node] = lengths[up[words + node] / 2] + 1;
    uint32_t longest = 0;
    for (size_t word = 0; word < words; ++word) longest = std::max(longest, lengths[up[word] / 2] + 1);
    return longest;
}

}  // namespace firth
