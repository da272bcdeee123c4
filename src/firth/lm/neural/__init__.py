"""Neural language models on PyTorch: a kind a file, one training loop and one object to hold them."""

from firth.errors import MissingExtraError

try:
    import safetensors
    import tokenizers
    import torch
except ImportError:
    raise MissingExtraError("a neural language model", "lm") from None

__all__ = ["safetensors", "tokenizers", "torch"]
