"""`nncodec export-onnx`: writes the networks that decode as ONNX models."""

from __future__ import annotations

from pathlib import Path

import click

from nncodec._support.files import write_file
from nncodec._support.text import count_of
from nncodec.cli.options import complete_models, force_option, no_stream
from nncodec.cli.work import taken
from nncodec.engine.export import exported_files
from nncodec.errors import NncError
from nncodec.plugin import registry
from nncodec.plugin.hooks import CODEC
from nncodec.plugin.model_file import ModelFile, read_model


@click.command("export-onnx", short_help="Write a model's networks as ONNX models.")
@click.argument("model", shell_complete=complete_models)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    callback=no_stream,
    metavar="FOLDER",
    help="Where to write them.  [default: the model's name with -onnx]",
)
@force_option
def export_onnx_command(model: str, output: Path | None, force: bool) -> None:
    """Write the networks that decode files of a model as ONNX models, for other runtimes.

    MODEL is an installed model or a model file (.safetensors). The folder gets one .onnx file for each network, and
    model.json, which names their inputs and outputs.
    """
    model_file = _model_file(model)
    folder = output or Path(f"{model_file.name.rpartition('/')[2]}-onnx")
    files = exported_files(model_file)
    if not force:
        for target in (folder / name for name in files):
            if target.exists():
                raise NncError(detail=taken(target))
    for name, data in files.items():  # model.json last: where it is, the others are complete
        write_file(folder / name, data)
    click.echo(f"{model_file.name} -> {folder}: {count_of(len(files) - 1, 'network')}")


def _model_file(model: str) -> ModelFile:
    if model.endswith(".safetensors"):
        return read_model(Path(model))
    return read_model(registry.catalog().find(model, CODEC).path)
