// Lines of an ARPA file: each n-gram with its ancestors, which are its suffixes.
#include "arpa.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace firth::ngram {

namespace {

void append(std::string& out, float number) {
    char digits[32];
    if (!std::isfinite(number)) number = -99;  // the format's way to say never
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    out.append(digits, end);
}

void append(std::string& out, WordTexts words, uint32_t word) {
    const uint64_t begin = word ? words.ends[word - 1] : 0;
    out.append(words.text + begin, words.ends[word] - begin);
}

}  // namespace

std::string arpa_lines(const Levels& levels, int k, uint64_t from, uint64_t to, WordTexts words) {
    std::string out;
    out.reserve((to - from) * size_t(24 + 8 * k));
    std::vector<uint64_t> path(static_cast<size_t>(k));  // the n-gram's suffix of each length, itself the last
    for (uint64_t gram = from; gram < to; ++gram) {
        path.back() = gram;
        for (size_t level = path.size() - 1; level-- > 0;) {
            const uint32_t* begin = levels[level].begin;
            if (gram == from)
                path[level] =
                    uint64_t(std::upper_bound(begin, begin + levels[level].size, path[level + 1]) - begin) - 1;
            while (begin[path[level] + 1] <= path[level + 1]) ++path[level];
        }
        const Level& level = levels[path.size() - 1];
        append(out, level.prob[gram]);
        out.push_back('\t');
        for (size_t i = path.size(); i-- > 0;) {
            append(out, words, i ? levels[i].left[path[i]] : uint32_t(path[0]));
            out.push_back(i ? ' ' : level.backoff ? '\t' : '\n');
        }
        if (!level.backoff) continue;
        append(out, level.backoff[gram]);
        out.push_back('\n');
    }
    return out;
}

}  // namespace firth::ngram
