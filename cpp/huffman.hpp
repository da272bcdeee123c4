// The Huffman tree of hierarchical softmax (Huffman 1952; Mikolov et al. 2013a).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace firth {

// The tree of counts that fall: the step up (see task.hpp) from each word, then from each inner node; of equals
// the leaf is merged before the inner node. Inner nodes are numbered by falling weight, so 0 is the root, no node
// comes before the one above it, and those that most paths share lie side by side.
std::vector<uint32_t> huffman(const int64_t* counts, size_t size);

// The paths of the first words, from the word to the root, and the length of the longest of all.
struct WrittenPaths {
    std::vector<uint64_t> offsets = {0};
    std::vector<uint32_t> steps;
    uint32_t longest = 0;
};

WrittenPaths write_paths(const uint32_t* up, size_t words, size_t written);

}  // namespace firth
