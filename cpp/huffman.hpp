// The Huffman tree of hierarchical softmax (Huffman 1952; Mikolov et al. 2013a).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace firth {

// Each word's path from the root: nodes[offsets[w]...offsets[w + 1]), with +1 alongside where the code bit is 0
// and -1 where it is 1. Inner nodes are numbered by falling weight, so 0 is the root, and those that most paths
// share lie side by side.
struct HuffmanPaths {
    std::vector<uint64_t> offsets;
    std::vector<uint32_t> nodes;
    std::vector<float> signs;
};

// `counts` fall; of equals the leaf is merged before the inner node.
HuffmanPaths huffman(const int64_t* counts, size_t size);

}  // namespace firth
