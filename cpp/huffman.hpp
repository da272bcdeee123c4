// The Huffman tree of hierarchical softmax (Huffman 1952; Mikolov et al. 2013a).
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "task.hpp"

namespace firth {

// The tree of counts that fall: the step up (see task.hpp) from each word, then from each inner node; of equals
// the leaf is merged before the inner node. Inner nodes are numbered by falling weight, so 0 is the root, no node
// comes before the one above it, and those that most paths share lie side by side.
std::vector<uint32_t> huffman(const int64_t* counts, size_t size);

// The paths of so many words, or of all, as a Tree has them written down.
std::vector<Path> write_paths(const uint32_t* up, size_t words, size_t written);

// The steps in the longest path of all words.
uint32_t longest_path(const uint32_t* up, size_t words);

}  // namespace firth
