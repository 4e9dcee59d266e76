"""Snapshot files: equal input gives equal bytes, and nothing damaged is ever taken for weights."""

from __future__ import annotations

import contextlib
import json
import os
import stat

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from league import files
from league.errors import SnapshotError
from league.policies import weights

TENSORS = {"b.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.tensor([1.0, -2.0])}
METADATA = {"game": "kuhn", "network": {"sizes": [128, 128]}, "seats": 2}


def test_tensors_and_metadata_come_back_equal():
    metadata, tensors = weights.unpack(weights.pack(TENSORS, METADATA))
    assert metadata == METADATA
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(tensors[name], tensor)
        assert tensors[name].dtype == tensor.dtype


def test_the_bytes_do_not_depend_on_the_order_of_anything():
    turned = dict(reversed(TENSORS.items())), dict(reversed(METADATA.items()))
    assert {weights.pack(TENSORS, METADATA) for _ in range(20)} == {weights.pack(*turned)}


def test_the_header_has_one_metadata_key():
    data = weights.pack(TENSORS, METADATA)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert list(header["__metadata__"]) == ["league"]


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float16, torch.float64])
def test_every_dtype_of_a_checkpoint_comes_back(dtype):
    tensor = torch.tensor([[0, 1], [1, 0]]).to(dtype)
    _, tensors = weights.unpack(weights.pack({"x": tensor, "none": tensor[:0], "scalar": tensor[0, 1]}, {}))
    assert torch.equal(tensors["x"], tensor)
    assert tensors["x"].dtype == dtype
    assert tensors["none"].shape == (0, 2)
    assert tensors["scalar"].shape == ()


def test_tensors_that_share_memory_or_are_not_contiguous_are_stored_whole():
    base = torch.arange(12.0).view(3, 4)
    given = {"base": base, "same": base, "turned": base.T, "row": base[1], "spread": base[:1].expand(3, 4)}
    given["parameter"] = torch.nn.Parameter(base)
    _, tensors = weights.unpack(weights.pack(given, {}))
    for name, tensor in given.items():
        assert torch.equal(tensors[name], tensor), name


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_metadata_that_is_not_json_is_refused(value):
    with pytest.raises((ValueError, TypeError)):
        weights.pack(TENSORS, {"x": value})


def test_a_file_is_named_by_its_hash_and_never_written_again(tmp_path):
    data = weights.pack(TENSORS, METADATA)
    id = weights.write(tmp_path / "deep" / "snapshots", data)
    path = tmp_path / "deep" / "snapshots" / f"{id}.safetensors"
    assert id == weights.digest(path.read_bytes())
    before = os.stat(path)
    assert weights.write(tmp_path / "deep" / "snapshots", data) == id
    after = os.stat(path)
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert stat.S_IMODE(after.st_mode) & 0o400
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    for metadata, tensors in (weights.read(path.parent, id), weights.read(path), weights.read(path, id)):
        assert metadata == METADATA
        assert torch.equal(tensors["b.weight"], TENSORS["b.weight"])


def test_a_damaged_file_of_the_same_name_is_not_taken_for_the_new_one(tmp_path):
    data = weights.pack(TENSORS, METADATA)
    id = weights.write(tmp_path, data)
    (tmp_path / f"{id}.safetensors").write_bytes(b"rotten")
    with pytest.raises(SnapshotError, match="damaged"):
        weights.write(tmp_path, data)
    assert (tmp_path / f"{id}.safetensors").read_bytes() == b"rotten"


def damage(data: bytes, how: str) -> bytes:
    if how == "truncated":
        return data[:-3]
    if how == "flipped":
        return data[:-5] + bytes([data[-5] ^ 1]) + data[-4:]
    return b""


@pytest.mark.parametrize("how", ["truncated", "flipped", "empty"])
def test_a_damaged_file_is_refused_by_its_hash(tmp_path, how):
    id = weights.write(tmp_path, weights.pack(TENSORS, METADATA))
    path = tmp_path / f"{id}.safetensors"
    path.write_bytes(damage(path.read_bytes(), how))
    for place, name in ((tmp_path, id), (path, None)):
        with pytest.raises(SnapshotError, match=rf"{id}\.safetensors is damaged or truncated"):
            weights.read(place, name)


def test_a_file_under_another_name_is_not_what_its_name_says(tmp_path):
    data = weights.pack(TENSORS, METADATA)
    (tmp_path / f"{'0' * 64}.safetensors").write_bytes(data)
    (tmp_path / "champion.safetensors").write_bytes(data)
    with pytest.raises(SnapshotError, match=weights.digest(data)):
        weights.read(tmp_path, "0" * 64)
    assert weights.read(tmp_path / "champion.safetensors")[0] == METADATA
    with pytest.raises(SnapshotError, match=weights.digest(data)):
        weights.read(tmp_path / "champion.safetensors", "0" * 64)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(SnapshotError, match=rf"{'a' * 64}\.safetensors is missing"):
        weights.read(tmp_path, "a" * 64)
    with pytest.raises(SnapshotError, match="cannot be read: Is a directory"):
        weights.read(tmp_path)


@pytest.mark.parametrize("id", ["../secret", "A" * 64, "", "a" * 63, "a" * 64 + "\n"])
def test_an_id_is_never_a_path(tmp_path, id):
    with pytest.raises(SnapshotError, match="not the id"):
        weights.read(tmp_path, id)


def test_a_file_larger_than_the_cap_is_not_read(tmp_path):
    path = tmp_path / "large.safetensors"
    path.touch()
    os.truncate(path, weights.CAP + 1)
    with pytest.raises(SnapshotError, match="the limit is"):
        weights.read(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_that_are_not_finite_are_refused_but_for_checkpoints(tmp_path, value, dtype):
    id = weights.write(tmp_path, weights.pack({"fine": torch.ones(2), "w": torch.tensor([0, value], dtype=dtype)}, {}))
    with pytest.raises(SnapshotError, match=rf"{id}\.safetensors cannot be used: 'w' .*not finite"):
        weights.read(tmp_path, id)
    _, tensors = weights.read(tmp_path, id, finite=False)
    assert not tensors["w"].isfinite().all()


def test_one_byte_floats_are_examined_too(tmp_path):
    id = weights.write(tmp_path, weights.pack({"w": torch.tensor([1.0, float("nan")]).to(torch.float8_e4m3fn)}, {}))
    with pytest.raises(SnapshotError, match="not finite"):
        weights.read(tmp_path, id)


def packed(header: bytes, body: bytes = b"", size: int | None = None) -> bytes:
    return (len(header) if size is None else size).to_bytes(8, "little") + header + body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x01",
        packed(b"{}", size=2**63),
        packed(b"{}", size=100_000_001),
        packed(b"{"),
        packed(b"[" * 100_000),
        packed(b'{"__metadata__":{}}'),
        packed(b'{"__metadata__":{"league":"[]"}}'),
        packed(b'{"__metadata__":{"league":"nonsense"}}'),
        packed(b'{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,4]},"__metadata__":{"league":"{}"}}', bytes(4)),
        packed(b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,400]},"__metadata__":{"league":"{}"}}', bytes(4)),
        packed(b'{"x":{"dtype":"F4","shape":[2],"data_offsets":[0,1]},"__metadata__":{"league":"{}"}}', bytes(1)),
        packed(b'{"x":{"dtype":"F8_E8M0","shape":[1],"data_offsets":[0,1]},"__metadata__":{"league":"{}"}}', bytes(1)),
    ],
)
def test_a_hostile_header_is_a_snapshot_error_that_names_the_file(tmp_path, data):
    path = tmp_path / "odd.safetensors"
    path.write_bytes(data)
    with pytest.raises(SnapshotError, match=r"odd\.safetensors"):
        weights.read(path)


@given(st.data())
def test_a_changed_byte_is_never_an_error_of_another_kind(data):
    good = weights.pack(TENSORS, METADATA)
    place, value = data.draw(st.integers(0, len(good) - 1)), data.draw(st.integers(0, 255))
    changed, found = good[:place] + bytes([value]) + good[place + 1 :], None
    with contextlib.suppress(SnapshotError):
        found = weights.unpack(changed, "changed")
    assert found is not None or changed != good
    if found is not None:
        metadata, tensors = found
        assert weights.unpack(weights.pack(tensors, metadata))[0] == metadata


def test_a_killed_write_leaves_nothing_under_the_name(tmp_path, monkeypatch):
    for stop in ("write", "fsync", "rename"):

        def fail(point: str, stop: str = stop) -> None:
            if point == stop:
                raise OSError(28, "No space left on device")

        monkeypatch.setattr(files, "faults", fail)
        with pytest.raises(OSError, match="No space"):
            weights.write(tmp_path, weights.pack(TENSORS, METADATA))
        assert list(tmp_path.iterdir()) == []
