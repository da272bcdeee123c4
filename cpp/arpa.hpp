// n-grams as the lines of an ARPA file.
#pragma once

#include <string>

#include "ngram.hpp"

namespace firth::ngram {

struct WordTexts {  // word w is text[ends[w − 1]] … text[ends[w] − 1]
    const char* text;
    const uint64_t* ends;
};

// "log10 P<TAB>words<TAB>log10 of the back-off<LF>" for the n-grams from … to − 1 of level k, the last field not
// at the top level. Numbers have the fewest digits that lead back to them.
std::string arpa_lines(const Levels& levels, int k, uint64_t from, uint64_t to, WordTexts words);

}  // namespace firth::ngram
