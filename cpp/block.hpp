// Blocks: what a thread takes at a time. The words of so many tokens that are learnt, and the block's own random
// numbers: whoever opens it finds the same.
#pragma once
#include "buffer.hpp"
#include "context.hpp"

namespace firth {
namespace FIRTH_ISA {

class Block {
  public:
    // With room for so many tokens, each of which may be a sentence. Rows have so many bytes.
    Block(const Text& text, const Noise& noise, uint64_t tokens, uint32_t window, uint64_t row)
        : draws(noise, tokens, row),
          text_(text),
          window_(int(window)),
          words_(tokens + 4 * uint64_t(window)),
          stretches_(tokens) {}

    // Gather the block whose turn it is: its parts of sentences in which a word is left.
    void open(const Order& order, const Epoch& epoch, uint64_t turn) {
        const uint64_t block = order.block(turn), first = block * order.tokens;
        const uint64_t end = least_of(first + order.tokens, text_.tokens);
        const uint64_t survival = stream_key(epoch.seed, epoch.number, 0);
        random = Random(stream_key(epoch.seed, epoch.number, block + 1));
        draws.start(random);
        passed = turn * order.tokens, tokens = end - first, count_ = 0;
        uint32_t* room = words_;
        for (uint64_t at = first, sentence = sentence_of(first); at < end; ++sentence) {
            const uint64_t sentence_end = text_.offsets[sentence + 1];
            const uint64_t to = least_of(sentence_end, end);
            if (at == to) continue;
            Stretch& stretch = stretches_[count_];
            stretch = {room, 0, 0, 0, at - first, to - first};
            gather(text_, survival, window_, text_.offsets[sentence], at, to, sentence_end, stretch);
            if (stretch.size > 0) room = stretch.ids + stretch.size - window_, ++count_;
            at = to;
        }
    }

    const Stretch* begin() const { return stretches_; }
    const Stretch* end() const { return stretches_ + count_; }

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
    const int window_;
    Buffer<uint32_t> words_;
    Buffer<Stretch> stretches_;
    uint64_t count_ = 0;
};

}  // namespace FIRTH_ISA
}  // namespace firth
