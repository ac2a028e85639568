"""What is loaded is decided by memory alone, so it is tested without a GPU."""

from __future__ import annotations

import pytest
import torch

from speechprune_lib.models.loading import (
    PARAMETERS,
    QUANTIZED,
    download_notice,
    loading_for,
    loading_here,
    weight_bytes,
)
from speechprune_lib.models.random_weights import random_model

ADA, TURING = (8, 9), (7, 5)


def test_parameters_are_those_of_the_config():
    """Counted on the meta device, which holds no memory."""
    model = random_model("Qwen2AudioForConditionalGeneration", "real", "meta")
    assert sum(weight.numel() for weight in model.parameters()) == PARAMETERS
    whole = [model.get_decoder().layers[0].self_attn]
    layers = [module for layer in model.get_decoder().layers for module in layer.modules()]
    linear = [module for module in layers if isinstance(module, torch.nn.Linear)]
    left = {id(module) for part in whole for module in part.modules()}
    assert sum(module.weight.numel() for module in linear if id(module) not in left) == QUANTIZED


def test_sizes_are_those_that_others_measured():
    """15.6 GiB in 16 bits (Qwen2-Audio's issue 60: 16,867 MiB with CUDA's own), about 9.6 and 6.7 in 8 and 4."""
    assert [round(weight_bytes(way) / 2**30, 1) for way in ("none", "int8", "nf4")] == [15.6, 9.7, 6.8]


@pytest.mark.parametrize(
    ("gigabytes", "capability", "dtype", "way"),
    [
        (80.0, (9, 0), torch.bfloat16, "none"),  # H100
        (24.2, ADA, torch.bfloat16, "none"),  # L4
        (22.0, ADA, torch.bfloat16, "none"),
        (15.6, TURING, torch.float16, "int8"),  # T4: bfloat16 would be emulated
        (12.6, ADA, torch.bfloat16, "nf4"),
    ],
)
def test_the_most_exact_that_fits(gigabytes, capability, dtype, way):
    loading = loading_for(round(gigabytes * 1e9), capability, can_quantize=True)
    assert (loading.dtype, loading.quantization) == (dtype, way)
    assert f"of the GPU's {gigabytes:.1f} GB" in loading.reason


def test_what_does_not_fit_is_refused_with_the_numbers():
    with pytest.raises(ValueError, match=r"GPU of 8.0 GB: it takes 20.8 GB \(none\), 14.4 GB \(int8\), 11.3 GB"):
        loading_for(8 * 10**9, ADA, can_quantize=True)
    with pytest.raises(ValueError, match="int8 and nf4 need bitsandbytes"):
        loading_for(15 * 10**9, TURING, can_quantize=False)


def test_a_cpu_is_refused_unless_forced():
    with pytest.raises(ValueError, match=r"on a cpu would take 33.6 GB of memory in float32 .* force=True"):
        loading_here(torch.device("cpu"))
    loading = loading_here(torch.device("cpu"), forced=True)
    assert (loading.dtype, loading.quantization) == (torch.float32, "none")


def test_the_download_is_announced():
    assert download_notice("Qwen/X") == "Qwen/X: a first download is 16.8 GB, 6 minutes at 50 MB/s; later ones are not"
