"""The networks that choose means and scales, without torch; `prior_network` has them in torch, to train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncodec.engine.fixed_point import ACTIVATION_LIMIT, ACTIVATION_STEPS, activation
from nncodec.engine.operations import AROUND, ConvLayer, FloatArray, Margins, Operations, V
from nncodec.engine.weights import WeightReader
from nncodec.plugin.engine import Loader, Run
from nncodec.plugin.entropy import NOT_CODED, BlockContexts, Stage, StageContext
from nncodec.plugin.latents import IntArray
from nncodec_hyperprior.config import HYPER, HYPER_STEPS, LATENT, NEIGHBOURS, PHASES, SCALES, PriorConfig


@dataclass(frozen=True, eq=False)
class _HyperDecoder:
    """See `prior_network.HyperDecoder`."""

    inner: ConvLayer
    around: ConvLayer
    expand: ConvLayer
    smooth: ConvLayer
    features: ConvLayer
    mean: ConvLayer

    @classmethod
    def read(cls, config: PriorConfig, weights: WeightReader) -> _HyperDecoder:
        hidden, width, name = config.hidden, config.width, "prior.hyper_decoder"
        return cls(
            weights.exact(f"{name}.inner", hidden, config.hyper_channels + config.anchors),
            weights.exact(f"{name}.around", hidden, 0, (3, 3)),
            weights.exact(f"{name}.expand", 4 * width, hidden),
            weights.exact(f"{name}.smooth", width, 0, (3, 3)),
            weights.exact(f"{name}.features", width, width),
            weights.exact(f"{name}.mean", sum(config.groups), width),
        )

    def network(self, operations: Operations[V], inputs: V) -> tuple[V, V]:
        """Map hyper-latents, in the range of activations, and quality planes to features and means in sixteenths."""
        features = activation(operations, operations.convolve(inputs, self.inner))
        features = activation(operations, operations.convolve(features, self.around, AROUND))
        features = activation(operations, operations.convolve(features, self.expand))
        features = operations.shuffle(features, 2)
        features = activation(operations, operations.convolve(features, self.smooth, AROUND))
        features = activation(operations, operations.convolve(features, self.features))
        return features, operations.bounded(operations.convolve(features, self.mean), None)


@dataclass(frozen=True, eq=False)
class _GroupContext:
    """See `prior_network.GroupContext`."""

    own: int
    here: ConvLayer
    around: list[list[ConvLayer]]
    inner: ConvLayer
    outer: ConvLayer

    @classmethod
    def read(cls, config: PriorConfig, group: int, weights: WeightReader) -> _GroupContext:
        own, hidden, name = config.groups[group], config.hidden_of(group), f"prior.contexts.{group}"
        return cls(
            own,
            weights.exact(f"{name}.here", hidden, config.width + config.parts[group].start, share=0.4),
            [
                [
                    weights.exact(f"{name}.around.{phase}.{number}", hidden, own, kernel, share=0.2)
                    for number, (_, kernel, _) in enumerate(sources)
                ]
                for phase, sources in enumerate(NEIGHBOURS)
            ],
            weights.exact(f"{name}.inner", hidden, hidden),
            weights.exact(f"{name}.outer", 2 * own, hidden),
        )

    def start_network(self, operations: Operations[V], inputs: V) -> tuple[V]:
        """Map features and the differences of earlier groups to the sums that every phase starts from."""
        return (operations.convolve(inputs, self.here),)

    def phase_network(self, operations: Operations[V], sums: V, *known: V) -> tuple[V, V]:
        """Map one phase of the sums, and the differences of earlier phases, to corrections and scale indices."""
        phase = len(known)
        for (source, _, margins), layer in zip(NEIGHBOURS[phase], self.around[phase], strict=True):
            sums = operations.add(sums, operations.convolve(known[source], layer, Margins(*margins)))
        hidden = activation(operations, sums)
        hidden = activation(operations, operations.convolve(hidden, self.inner))
        outer = operations.bounded(operations.convolve(hidden, self.outer), None)
        return operations.channels(outer, 0, self.own), operations.channels(outer, self.own, 2 * self.own)


class EngineContexts:
    """The context networks of a model file; see `nncodec_hyperprior.entropy.ContextNetworks`.

    Args:
        config: their shape.
        weights: of the file.
        loader: makes them ready to run.

    Raises:
        ValueError: a tensor is missing, does not fit, or its sums might not be exact.
    """

    def __init__(self, config: PriorConfig, weights: WeightReader, loader: Loader) -> None:
        self.config = config
        decoder = _HyperDecoder.read(config, weights)
        inputs = {"inputs": config.hyper_channels + config.anchors}
        self.hyper_decoder = loader.load("hyper_decoder", decoder.network, inputs, ("features", "means"))
        self.starts: list[Run] = []
        self.phases: list[list[Run]] = []
        for group, own in enumerate(config.groups):
            context, hidden = _GroupContext.read(config, group, weights), config.hidden_of(group)
            earlier = {"inputs": config.width + config.parts[group].start}
            self.starts.append(loader.load(f"context_{group}", context.start_network, earlier, ("sums",)))
            self.phases.append(
                [
                    loader.load(
                        f"context_{group}_{phase}",
                        context.phase_network,
                        {"sums": hidden} | {f"known_{number}": own for number in range(phase)},
                        ("corrections", "scales"),
                    )
                    for phase in range(len(PHASES))
                ]
            )

    def open_block(
        self, planes: FloatArray, stages: Sequence[Stage], certain: int, known: Mapping[str, IntArray]
    ) -> BlockContexts:
        """Return what gives the contexts of one block."""
        return _Block(self, planes, stages, certain, known).context


class _Block:
    """One partly decoded block, channels last; see `ContextNetworks.open_block`."""

    def __init__(
        self,
        networks: EngineContexts,
        planes: FloatArray,
        stages: Sequence[Stage],
        certain: int,
        known: Mapping[str, IntArray],
    ) -> None:
        self._networks, self._stages, self._certain = networks, stages, certain
        hyper = _channels_last(known[HYPER])
        np.clip(hyper * HYPER_STEPS, -ACTIVATION_LIMIT, ACTIVATION_LIMIT, out=hyper)
        quality = np.broadcast_to(planes * ACTIVATION_STEPS, (*hyper.shape[:3], planes.size))
        features, self._means = networks.hyper_decoder(np.concatenate([hyper, quality], axis=3, dtype=np.float32))
        # Differences of latents from their first means, for each stage added.
        self._residuals: list[FloatArray] = []
        # Input of the groups: the hyper-decoder's features, then the residuals of all groups but the last.
        *shape, self._width = features.shape
        last = networks.config.parts[-1].start
        self._inputs = np.empty((*shape, self._width + last), np.float32)
        self._inputs[..., : self._width] = features
        self._start: tuple[int, FloatArray] | None = None

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        """Return the context of a stage: tables, and means in sixteenths."""
        for number in range(1 + len(self._residuals), stage):
            self._add(number, known[LATENT])
        group, phase = divmod(stage - 1, len(PHASES))
        part, *places = self._stages[stage].where[1:]
        if self._start is None or self._start[0] != group:
            inputs = np.ascontiguousarray(self._inputs[..., : self._width + part.start])
            self._start = group, self._networks.starts[group](inputs)[0]
        earlier = self._residuals[stage - 1 - phase : stage - 1]
        # A copy, because the network overwrites it.
        correction, index = self._networks.phases[group][phase](self._start[1][:, *places].copy(), *earlier)
        means = correction + self._means[:, *places, part]
        tables = np.clip(index, 0, SCALES - 1)
        tables[tables < self._certain] = NOT_CODED
        return StageContext(_integers(tables, np.int16), _integers(means, np.int32))

    def _add(self, stage: int, latents: IntArray) -> None:
        part, *places = self._stages[stage].where[1:]
        residual = _channels_last(latents[:, part, *places])
        residual -= self._means[:, *places, part]
        np.clip(residual, -ACTIVATION_LIMIT, ACTIVATION_LIMIT, out=residual)
        self._residuals.append(residual)
        if part.stop <= self._inputs.shape[3] - self._width:
            self._inputs[:, *places, self._width + part.start : self._width + part.stop] = residual


def _channels_last(values: IntArray) -> FloatArray:
    """Return an array (N, C, h, w) as float32 (N, h, w, C)."""
    return values.transpose(0, 2, 3, 1).astype(np.float32, order="C")


def _integers(values: FloatArray, kind: type[np.signedinteger[Any]]) -> NDArray[Any]:
    """Return values (N, h, w, C) as integers (N, C, h, w)."""
    return values.transpose(0, 3, 1, 2).astype(kind, order="C")
