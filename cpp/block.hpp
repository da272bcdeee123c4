// Blocks: what a thread takes at a time. The words of so many tokens that are learnt, and the block's own random
// numbers: whoever opens it finds the same.
#pragma once
#include "buffer.hpp"
#include "context.hpp"

namespace firth {
namespace FIRTH_ISA {

class Block {
  public:
    // With room for so many tokens, each of which may be a sentence, to be learnt in one part, or in rounds. Rows
    // have so many bytes.
    Block(const Text& text, const Noise& noise, uint64_t tokens, bool in_rounds, uint32_t window, uint64_t row)
        : draws(noise, in_rounds ? tokens_of_a_part(tokens) : tokens, row, in_rounds),
          text_(text),
          parts_(in_rounds ? rounds_of_a_block : 1),
          window_(int(window)),
          words_(tokens + 4 * uint64_t(window)),
          inputs_(in_rounds ? tokens + 4 * uint64_t(window) : 0),
          outputs_(in_rounds ? tokens + 4 * uint64_t(window) : 0),
          stretches_(tokens),
          pieces_(tokens) {}

    // Gather the block whose turn it is: its pieces of sentences in which a word is left.
    void open(const Order& order, const Epoch& epoch, uint64_t turn) {
        const uint64_t block = order.block(turn), first = block * order.tokens;
        const uint64_t end = least_of(first + order.tokens, text_.tokens);
        const uint64_t survival = stream_key(epoch.seed, epoch.number, 0);
        random = Random(stream_key(epoch.seed, epoch.number, block + 1));
        draws.start(random);
        passed = turn * order.tokens, tokens = end - first, left_ = 0, part_ = 0, next_ = 0;
        uint32_t* room = words_;
        Stretch* stretch = stretches_;
        for (uint64_t at = first, sentence = sentence_of(first); at < end; ++sentence) {
            const uint64_t sentence_end = text_.offsets[sentence + 1];
            const uint64_t to = least_of(sentence_end, end);
            if (at == to) continue;
            *stretch = {room, nullptr, nullptr, 0, 0, 0, at - first, to - first};
            gather(text_, survival, window_, text_.offsets[sentence], at, to, sentence_end, *stretch);
            left_ += uint64_t(stretch->end - stretch->begin);
            if (stretch->size > 0) room = stretch->ids + stretch->size - window_, ++stretch;
            at = to;
        }
    }

    // Go to its next part, as long as the others or a word longer: afterwards the first.
    void next_part() {
        if (part_ > 0) draws.expect();  // else they were when it was opened
        uint64_t words = left_ / (parts_ - part_++);
        left_ -= words;
        for (count_ = 0, reach_ = 0; words > 0; ++count_) {
            Stretch& rest = stretches_[next_];
            pieces_[count_] = rest.cut(int(least_of(words, uint64_t(rest.end - rest.begin))), window_);
            words -= uint64_t(pieces_[count_].end - pieces_[count_].begin);
            next_ += rest.begin == rest.end;
            reach_ =
                int(most_of(uint64_t(reach_), least_of(uint64_t(window_), uint64_t(pieces_[count_].size - 1))));
        }
        for (uint64_t i = 0; i < count_; ++i) {
            Stretch& piece = pieces_[i];
            piece.inputs = parts_ > 1 ? inputs_ + (piece.ids - words_) : piece.ids;
            piece.outputs = draws.located() ? outputs_ + (piece.ids - words_) : piece.ids;
        }
        draws.next_part();
    }

    const Stretch* begin() const { return pieces_; }
    const Stretch* end() const { return pieces_ + count_; }
    int reach() const { return reach_; }  // of the widest window that there is room for

    uint64_t passed = 0, tokens = 0;  // of the epoch, before it; and its own
    Random random = Random(0);
    Draws draws;

  private:
    uint64_t sentence_of(uint64_t token) const {  // the last sentence that begins at or before it
        uint64_t low = 0, high = text_.sentences;
        while (high - low > 1) {
            const uint64_t middle = low + (high - low) / 2;
            (text_.offsets[middle] <= token ? low : high) = middle;
        }
        return low;
    }

    const Text& text_;
    const uint32_t parts_;
    const int window_;
    Buffer<uint32_t> words_, inputs_, outputs_;
    Buffer<Stretch> stretches_, pieces_;        // of the block; of the part
    uint64_t left_ = 0, next_ = 0, count_ = 0;  // words behind the part; the first stretch there; pieces
    int reach_ = 0;
    uint32_t part_ = 0;  // the one behind
};

}  // namespace FIRTH_ISA
}  // namespace firth
