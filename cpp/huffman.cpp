#include "huffman.hpp"

namespace firth {
namespace {

// Leaves are 0...size - 1; after them come the inner nodes in the order in which they arise, which is that of
// rising weight: the last is the root.
struct Link {
    uint32_t parent;
    uint32_t bit : 1, depth : 31;
};

std::vector<Link> merge(const int64_t* counts, size_t size) {
    std::vector<Link> links(2 * size - 1);
    std::vector<uint64_t> weights(size - 1);  // of inner nodes
    size_t leaf = size, inner = 0;            // one past the lightest leaf, and the lightest inner node, unmerged
    for (size_t made = 0; made + 1 < size; ++made) {
        for (uint32_t bit : {0, 1}) {  // the lighter child first
            const bool takes_leaf = leaf > 0 && (inner == made || uint64_t(counts[leaf - 1]) <= weights[inner]);
            weights[made] += takes_leaf ? uint64_t(counts[leaf - 1]) : weights[inner];
            Link& child = links[takes_leaf ? --leaf : size + inner++];
            child.parent = uint32_t(size + made);
            child.bit = bit;
        }
    }
    for (size_t node = links.size() - 1; node-- > 0;) links[node].depth = links[links[node].parent].depth + 1;
    return links;
}

}  // namespace

HuffmanPaths huffman(const int64_t* counts, size_t size) {
    HuffmanPaths paths;
    paths.offsets.push_back(0);
    if (size == 0) return paths;
    const std::vector<Link> links = merge(counts, size);
    for (size_t word = 0; word < size; ++word) paths.offsets.push_back(paths.offsets.back() + links[word].depth);
    paths.nodes.resize(paths.offsets.back());
    paths.signs.resize(paths.offsets.back());
    const uint32_t root = uint32_t(links.size() - 1);
    for (size_t word = 0; word < size; ++word) {
        uint64_t slot = paths.offsets[word + 1];
        for (uint32_t at = uint32_t(word); at != root; at = links[at].parent) {
            paths.nodes[--slot] = root - links[at].parent;
            paths.signs[slot] = links[at].bit ? -1.0f : 1.0f;
        }
    }
    return paths;
}

}  // namespace firth
