"""Contract tests of model files, for codecs and enhancers."""

from __future__ import annotations

from dataclasses import replace

from nncodec.errors import BadModelFile
from nncodec.plugin import registry
from nncodec.plugin.model_file import LONG_ID_BYTES, read_model
from nncodec.testing.support import FileUnderTest, raises, some

_HOSTILE_SETTINGS: tuple[object, ...] = (None, "text", -1, 1 << 40, [])


class ModelFileContract(FileUnderTest):
    """A model file opens, and is refused if a tensor is missing or has another shape."""

    def test_the_model_is_found_by_the_beginning_of_its_digest(self) -> None:
        catalog = registry.catalog()
        by_id = catalog.find_by_id(self.model_info.id_bytes[:LONG_ID_BYTES], kind=catalog.kind_of(self.model_info))
        assert by_id == self.model_info
        assert read_model(by_id.path).digest == self.model_info.digest

    def test_a_model_file_that_lacks_a_tensor_is_refused(self) -> None:
        tensors = read_model(self.model_info.path).tensors
        for name in some(sorted(tensors)):
            altered = {other: value for other, value in tensors.items() if other != name}
            assert not self._opens(self.model_info.config, altered), f"it opens without tensor {name!r}"

    def test_a_model_file_with_a_tensor_of_another_shape_is_refused(self) -> None:
        tensors = read_model(self.model_info.path).tensors
        for name in some(sorted(tensors)):
            altered = {**tensors, name: tensors[name][None]}
            assert not self._opens(self.model_info.config, altered), f"it opens with another shape of tensor {name!r}"

    def test_a_hostile_config_opens_or_is_refused(self) -> None:
        """With any config, the model opens or raises BadModelFile: no other error, and no endless work."""
        model_file = read_model(self.model_info.path)
        config = dict(model_file.config)
        configs: list[dict[str, object]] = [{}, {**config, "unheard_of": 1}]
        for key in config:
            configs.append({other: value for other, value in config.items() if other != key})
            configs += [{**config, key: hostile} for hostile in _HOSTILE_SETTINGS]
        for altered in configs:
            raises(BadModelFile, registry.build_model, replace(model_file, config=altered))
