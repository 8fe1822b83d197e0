"""The catalog finds models by name, alias and digest, each kind by itself."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
from fake_plugins import Plugin

from nncodec.errors import ModelError, UnknownModel
from nncodec.plugin.catalog import Catalog
from nncodec.plugin.discovery import build_catalog
from nncodec.plugin.registry import open_enhancer, open_model


def test_a_model_is_found_by_the_beginning_of_its_digest(good: EntryPoint) -> None:
    catalog = build_catalog([good])
    model_info = catalog.find("one")
    assert catalog.find_by_id(model_info.id_bytes[:4]) is catalog.find_by_id(model_info.id_bytes) is model_info
    with pytest.raises(UnknownModel, match="good/one"):
        catalog.find_by_id(bytes(4))


def test_an_unknown_model_is_refused_with_what_there_is(good: EntryPoint, plugin: Plugin) -> None:
    catalog = build_catalog([good, plugin("bad", "raise RuntimeError('no disk')")])
    with pytest.raises(UnknownModel) as caught:
        catalog.find("good/two")
    assert caught.value.wanted == "good/two"
    assert "installed: good/one" in str(caught.value)
    assert "plugin 'bad' (RuntimeError: no disk)" in str(caught.value)


@pytest.mark.parametrize("by_name", [True, False])
def test_the_other_kind_is_refused_with_one_to_choose(both: Catalog, by_name: bool) -> None:
    enhancer, codec = both.find("x1"), both.find("one")
    with pytest.raises(ModelError) as caught:
        open_model("x1" if by_name else enhancer)
    assert str(caught.value) == "same/one is an enhancer, not a codec; choose a codec such as one"
    with pytest.raises(ModelError) as caught:
        open_enhancer("one" if by_name else codec)
    assert str(caught.value) == "good/one is a codec, not an enhancer; choose an enhancer such as x1"
    assert both.find("x1", "enhancer") is enhancer
    with pytest.raises(ModelError, match="choose a codec such as one"):
        both.find("x1", "codec")


def test_where_there_is_none_to_choose_none_is_named(installed: Catalog) -> None:
    with pytest.raises(ModelError, match=r"not an enhancer; choose an enhancer$"):
        open_enhancer("one")


def test_an_id_leads_to_its_own_kind_only(both: Catalog) -> None:
    enhancer, codec = both.find("x1"), both.find("one")
    assert both.find_by_id(enhancer.id_bytes[:8], kind="enhancer") is enhancer
    assert both.find_by_id(codec.id_bytes[:8]) is codec
    with pytest.raises(UnknownModel, match=r"no installed model is 'same/one .*; installed: good/one; "):
        both.find_by_id(enhancer.id_bytes[:8], "same/one")
    with pytest.raises(UnknownModel, match=r"no installed enhancer is '.*; installed: same/odd, same/one; "):
        both.find_by_id(codec.id_bytes[:8], kind="enhancer")


def test_the_message_for_an_unknown_one_lists_its_kind(both: Catalog) -> None:
    with pytest.raises(UnknownModel, match=r"no installed enhancer is 'x9'; installed: same/odd, same/one; "):
        open_enhancer("x9")
    with pytest.raises(UnknownModel, match=r"no installed model is 'x9'; installed: good/one; "):
        open_model("x9")
    with pytest.raises(UnknownModel, match=r"no installed model is 'x9'; installed: good/one, same/odd, same/one; "):
        both.find("x9")
