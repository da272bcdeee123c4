"""n-gram models by their definitions, slowly; texts for them; and what lmplz made of one."""

from collections import Counter
from functools import cache

from hypothesis import strategies as st

from firth import lm

texts = st.lists(st.lists(st.sampled_from("abcdef"), max_size=8), min_size=1, max_size=12).filter(any)


class Reference:
    """P(w | h) of a text, `words` all that may follow; the models back off, interpolate, or do neither."""

    def __init__(self, text, order, smoothing, prune=(0,)):
        self.order, self.smoothing = order, smoothing
        self.prune = (*prune, *prune[-1:] * order)
        self.words = {"<unk>", "</s>", *(word for sentence in text for word in sentence)}
        self.raw = Counter()
        for sentence in text:
            line = ("<s>", *sentence, "</s>")
            for end in range(1, len(line)):
                for k in range(1, min(order, end + 1) + 1):
                    self.raw[line[end + 1 - k : end + 1]] += 1
        self.counts = self.adjusted() if smoothing.adjusted else self.raw
        self.followers = {}
        for gram in self.counts:
            self.followers.setdefault(gram[:-1], []).append(gram[-1])
        self.given = [self.discounts(k) for k in range(1, order + 1)]
        self.p = cache(self.p)

    def adjusted(self):
        before = {}
        for gram in self.raw:
            before.setdefault(gram[1:], set()).add(gram[0])
        return {
            gram: count if len(gram) == self.order or gram[0] == "<s>" else len(before[gram])
            for gram, count in self.raw.items()
        }

    def discounts(self, k):
        """A function from counts to what is taken from them."""
        n = Counter(count for gram, count in self.counts.items() if len(gram) == k)
        match self.smoothing:
            case lm.JelinekMercer(weights):
                return lambda c: (1 - weights[min(k, len(weights)) - 1]) * c
            case lm.KneserNey(d):
                return lambda c: d
            case lm.ModifiedKneserNey(fallback):
                found = fallback
                if n[1] and n[2] and n[3]:
                    y = n[1] / (n[1] + 2 * n[2])
                    closed = [r - (r + 1) * y * n[r + 1] / n[r] for r in (1, 2, 3)]
                    if all(0 <= d <= r for r, d in zip((1, 2, 3), closed, strict=True)):
                        found = closed
                return lambda c: found[min(c, 3) - 1]
            case lm.Katz(cutoff):
                return good_turing(n, cutoff)
        return lambda c: 0

    def kept(self, gram):
        return len(gram) == 1 or self.raw[gram] > self.prune[len(gram) - 1]

    def p(self, word, history):
        """P(word | history), of which the last order − 1 words count."""
        history = history[max(len(history) + 1 - self.order, 0) :]
        gram, words, take = (*history, word), self.followers.get(history, ()), self.given[len(history)]
        if self.smoothing.combine == "alone":
            add = getattr(self.smoothing, "k", 0)
            total = sum(self.counts[*history, each] for each in words) + add * len(self.words)
            return (self.counts.get(gram, 0) + add) / total if total else None
        total = sum(self.counts[*history, each] for each in words)
        shorter = (lambda w: self.p(w, history[1:])) if history else (lambda w: 1 / len(self.words))
        if not total:
            return shorter(word)
        seen = [each for each in words if self.kept((*history, each))]
        left = total - sum(self.counts[*history, each] - take(self.counts[*history, each]) for each in seen)
        own = self.counts[gram] - take(self.counts[gram]) if word in seen else 0
        if self.smoothing.combine == "interpolate":
            return own / total + left / total * shorter(word)
        if len(seen) == len(self.words):
            return own / (total - left)
        left, total = (left, total) if left > 0 else (1, total + 1)
        return own / total if word in seen else left / total * shorter(word) / (1 - sum(map(shorter, seen)))


def good_turing(n, cutoff):
    for k in range(cutoff, 0, -1):
        if all(n[r] for r in range(1, k + 2)):
            b = (k + 1) * n[k + 1] / n[1]
            d = [((r + 1) * n[r + 1] / n[r] / r - b) / (1 - b) if b < 1 else 0 for r in range(1, k + 1)]
            if all(0 < each <= 1 for each in d):
                return lambda c: c * (1 - d[c - 1]) if c <= len(d) else 0
    return lambda c: 0


LMPLZ_TEXT = """\
the cat sat on the mat
the dog sat on the cat

a dog and a cat sat on the mat and the mat was flat
the cat was a cat and the dog was a dog
on the mat the dog sat
"""

# lmplz -o 3 --prune 0 0 1 --discount_fallback
LMPLZ_ARPA = """\
\\data\\
ngram 1=13
ngram 2=29
ngram 3=5

\\1-grams:
-1.2347969	<unk>	0
0	<s>	-0.12493875
-0.7673056	</s>	0
-0.9917589	the	-0.04346572
-1.1322098	cat	-0.19836766
-1.1322098	sat	-0.1413292
-1.1322098	on	-0.079181254
-1.0663924	mat	-0.30103
-1.1322098	dog	-0.30103
-1.1711278	a	-0.079181254
-1.1711278	and	-0.1413292
-1.1711278	was	-0.1413292
-1.0663924	flat	-0.30103

\\2-grams:
-0.6747014	<s> </s>	0
-0.6814676	cat </s>	0
-0.5374809	sat </s>	0
-0.67687047	mat </s>	0
-0.67687047	dog </s>	0
-0.23251714	flat </s>	0
-1.1166977	<s> the	-0.35512692
-0.5992955	on the	0
-0.75459135	mat the	0
-0.7334933	and the	0
-0.9417654	the cat	0
-0.8392444	a cat	0
-0.94547105	cat sat	-0.79005057
-0.7908138	dog sat	0
-0.85808194	<s> on	0
-0.7841551	sat on	0
-0.902156	the mat	0
-1.1756755	the dog	-0.35512692
-0.8392444	a dog	0
-0.8731933	<s> a	0
-0.6668183	and a	0
-0.79638875	was a	0
-0.8455531	cat and	0
-0.79937804	mat and	0
-0.79937804	dog and	0
-0.8455531	cat was	0
-0.79937804	mat was	0
-0.79937804	dog was	0
-0.64082783	was flat	0

\\3-grams:
-0.5992955	sat on the
-0.21535617	<s> the cat
-0.20064706	the dog sat
-0.06323809	cat sat on
-0.902156	on the mat

\\end\\
"""
