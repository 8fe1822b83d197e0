"""What this plugin provides. It imports nothing heavy."""

from pathlib import Path

from nncodec.plugin import ArchitectureSpec, ModelSpec, hookimpl


@hookimpl
def nncodec_architectures() -> list[ArchitectureSpec]:
    return [ArchitectureSpec("blockmean", "nncodec_blockmean.codec:BlockMeanCodec")]


@hookimpl
def nncodec_models() -> list[ModelSpec]:
    return [ModelSpec("blockmean/four", Path(__file__).parent / "weights" / "four.safetensors")]
