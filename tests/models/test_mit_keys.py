"""NVIDIA's own files: every name accounted for, and the same features as a forward pass written out by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402

from maskwright.errors import FormatError, InputError  # noqa: E402
from maskwright.models.mit_keys import decoder_keys, encoder_keys, read_mit  # noqa: E402
from maskwright.models.networks import network_of  # noqa: E402
from maskwright.models.segformer import NVIDIA, segformer  # noqa: E402

SIZES, DEPTHS, REDUCTIONS, HEADS = (8, 16, 40, 64), (2, 1, 1, 2), (8, 4, 2, 1), (1, 2, 5, 8)
DECODER = 24


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def shapes() -> dict[str, tuple[int, ...]]:
    """The published names of an encoder, written down by hand, with the shapes of a tiny one."""
    told: dict[str, tuple[int, ...]] = {}

    def layer(name: str, *shape: int) -> None:
        told[f"{name}.weight"], told[f"{name}.bias"] = shape, shape[:1]

    for stage, (size, depth, reduction) in enumerate(zip(SIZES, DEPTHS, REDUCTIONS, strict=True), start=1):
        patch = 7 if stage == 1 else 3
        layer(f"patch_embed{stage}.proj", size, 3 if stage == 1 else SIZES[stage - 2], patch, patch)
        layer(f"patch_embed{stage}.norm", size)
        for block in (f"block{stage}.{index}" for index in range(depth)):
            layer(f"{block}.norm1", size)
            layer(f"{block}.attn.q", size, size)
            layer(f"{block}.attn.kv", 2 * size, size)
            layer(f"{block}.attn.proj", size, size)
            if reduction > 1:
                layer(f"{block}.attn.sr", size, size, reduction, reduction)
                layer(f"{block}.attn.norm", size)
            layer(f"{block}.norm2", size)
            layer(f"{block}.mlp.fc1", 4 * size, size)
            layer(f"{block}.mlp.dwconv.dwconv", 4 * size, 1, 3, 3)
            layer(f"{block}.mlp.fc2", size, 4 * size)
        layer(f"norm{stage}", size)
    return told


def decoder_shapes(classes: int = 4) -> dict[str, tuple[int, ...]]:
    told: dict[str, tuple[int, ...]] = {}
    for stage in (4, 3, 2, 1):
        told[f"decode_head.linear_c{stage}.proj.weight"] = (DECODER, SIZES[stage - 1])
        told[f"decode_head.linear_c{stage}.proj.bias"] = (DECODER,)
    told["decode_head.linear_fuse.conv.weight"] = (DECODER, 4 * DECODER, 1, 1)
    told |= {f"decode_head.linear_fuse.bn.{each}": (DECODER,) for each in ("weight", "bias", "running_mean")}
    told |= {"decode_head.linear_fuse.bn.running_var": (DECODER,)}
    return {
        **told, "decode_head.linear_fuse.bn.num_batches_tracked": (),
        "decode_head.linear_pred.weight": (classes, DECODER, 1, 1), "decode_head.linear_pred.bias": (classes,),
        "decode_head.conv_seg.weight": (classes, 128, 1, 1), "decode_head.conv_seg.bias": (classes,),
    }  # fmt: skip


def random_state(told: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    torch.manual_seed(7)
    state = {}
    for key, shape in told.items():
        if key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(5)
        elif key.endswith("running_var") or (len(shape) == 1 and key.endswith("weight")):
            state[key] = torch.rand(shape) + 0.5
        else:
            state[key] = torch.randn(shape) / max(1, torch.Size(shape[1:]).numel()) ** 0.5
    return state


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """A tiny encoder as the published mit_b0.pth is: with the classifier of ImageNet."""
    state = random_state({**shapes(), "head.weight": (10, SIZES[-1]), "head.bias": (10,)})
    torch.save(state, tmp_path / "mit_b0.pth")
    return tmp_path / "mit_b0.pth"


def as_mmseg(encoder: Path, classes: int = 4) -> Path:
    """A whole SegFormer as mmseg saves one while training."""
    body = {f"backbone.{key}": each for key, each in torch.load(encoder).items() if not key.startswith("head.")}
    path = encoder.with_name("segformer.b0.tiny.pth")
    torch.save({"meta": {"epoch": 3}, "state_dict": {**body, **random_state(decoder_shapes(classes))}}, path)
    return path


def norm(state: dict[str, Tensor], name: str, values: Tensor, eps: float = 1e-5) -> Tensor:
    return functional.layer_norm(values, values.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], eps)


def linear(state: dict[str, Tensor], name: str, values: Tensor) -> Tensor:
    return values @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def convolved(state: dict[str, Tensor], name: str, values: Tensor, **how: int) -> Tensor:
    return functional.conv2d(values, state[f"{name}.weight"], state[f"{name}.bias"], **how)


def embed(state: dict[str, Tensor], stage: int, pixels: Tensor) -> Tensor:
    """(n, channels, height, width) of a stage before its blocks."""
    stride, padding = (4, 3) if stage == 1 else (2, 1)
    found = convolved(state, f"patch_embed{stage}.proj", pixels, stride=stride, padding=padding)
    return norm(state, f"patch_embed{stage}.norm", found.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def block(state: dict[str, Tensor], name: str, given: Tensor, heads: int, reduction: int, eps: float) -> Tensor:
    """Norm, attention to a reduced picture, norm, mix of neighbours: (n, channels, height, width) to the same."""
    count, size, height, width = given.shape
    tokens = given.flatten(2).transpose(1, 2)
    seen = norm(state, f"{name}.norm1", tokens, eps)
    fewer = seen
    if reduction > 1:
        picture = seen.transpose(1, 2).reshape(count, size, height, width)
        picture = convolved(state, f"{name}.attn.sr", picture, stride=reduction)
        fewer = norm(state, f"{name}.attn.norm", picture.flatten(2).transpose(1, 2))
    query = linear(state, f"{name}.attn.q", seen).reshape(count, -1, heads, size // heads)
    both = linear(state, f"{name}.attn.kv", fewer).reshape(count, -1, 2, heads, size // heads)
    likeness = torch.einsum("nqhc,nkhc->nhqk", query, both[:, :, 0]) / (size // heads) ** 0.5
    mixed = torch.einsum("nhqk,nkhc->nqhc", likeness.softmax(-1), both[:, :, 1]).reshape(tokens.shape)
    tokens = tokens + linear(state, f"{name}.attn.proj", mixed)
    wide = linear(state, f"{name}.mlp.fc1", norm(state, f"{name}.norm2", tokens, eps))
    wide = wide.transpose(1, 2).reshape(count, 4 * size, height, width)
    wide = convolved(state, f"{name}.mlp.dwconv.dwconv", wide, padding=1, groups=4 * size)
    wide = functional.gelu(wide.flatten(2).transpose(1, 2))
    tokens = tokens + linear(state, f"{name}.mlp.fc2", wide)
    return tokens.transpose(1, 2).reshape(given.shape)


def by_hand(state: dict[str, Tensor], pixels: Tensor, eps: float = 1e-5) -> list[Tensor]:
    """Features of the four stages by NVIDIA's names of weights."""
    found, given = [], pixels
    for stage, depth in enumerate(DEPTHS, start=1):
        given = embed(state, stage, given)
        for index in range(depth):
            given = block(state, f"block{stage}.{index}", given, HEADS[stage - 1], REDUCTIONS[stage - 1], eps)
        given = norm(state, f"norm{stage}", given.permute(0, 2, 3, 1), eps).permute(0, 3, 1, 2)
        found.append(given)
    return found


def decoded_by_hand(state: dict[str, Tensor], features: list[Tensor]) -> Tensor:
    """Logits at a quarter of the resolution: the last stage first, as mmseg puts them together."""
    layers = []
    for stage in (4, 3, 2, 1):
        flat = features[stage - 1].permute(0, 2, 3, 1)
        found = linear(state, f"decode_head.linear_c{stage}.proj", flat).permute(0, 3, 1, 2)
        layers.append(functional.interpolate(found, features[0].shape[2:], mode="bilinear"))
    fused = functional.conv2d(torch.cat(layers, 1), state["decode_head.linear_fuse.conv.weight"])
    told = [state[f"decode_head.linear_fuse.bn.{each}"] for each in ("running_mean", "running_var", "weight", "bias")]
    fused = functional.batch_norm(fused, *told).relu()
    return convolved(state, "decode_head.linear_pred", fused)


def test_one_block_and_all_features_are_those_written_by_hand(encoder: Path) -> None:
    state = {key: each for key, each in torch.load(encoder).items() if not key.startswith("head.")}
    network = segformer(str(encoder), 3, 4).network.eval()
    pixels = torch.randn(2, 3, 64, 96)
    inside: list[tuple[Tensor, Tensor]] = []
    first = network.model.segformer.stages[0].blocks[0]
    first.register_forward_hook(lambda _, given, out: inside.append((given[0], out)))
    with torch.inference_mode():
        theirs = network.model.segformer(pixel_values=pixels, output_hidden_states=True).hidden_states
        (given, out), *_ = inside
        wanted = block(state, "block1.0", given.transpose(1, 2).reshape(2, 8, 16, 24), HEADS[0], 8, 1e-5)
        ours, as_published = by_hand(state, pixels), by_hand(state, pixels, eps=1e-6)
    assert (wanted.flatten(2).transpose(1, 2) - out).abs().max() < 1e-5
    assert [tuple(each.shape) for each in theirs] == [tuple(each.shape) for each in ours]
    assert max(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True)) < 1e-5
    assert min(float(each.std()) for each in theirs) > 0.3, "features that say something"
    assert max(float((a - b).abs().max()) for a, b in zip(as_published, theirs, strict=True)) < 1e-5


def test_a_whole_segformer_of_mmseg_gives_its_own_logits(encoder: Path) -> None:
    path = as_mmseg(encoder)
    state = {key.removeprefix("backbone."): each for key, each in torch.load(path)["state_dict"].items()}
    made = segformer(str(path), 3, 4)
    pixels = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        theirs = made.network.eval().model(pixel_values=pixels).logits
        wanted = decoded_by_hand(state, by_hand(state, pixels))
    assert theirs.shape == (1, 4, 16, 24) and (theirs - wanted).abs().max() < 1e-5 * wanted.abs().max()
    again = network_of(made.architecture)
    again.load_state_dict(made.network.state_dict(), strict=True)
    other = segformer(str(path), 5, 2).network.eval()
    assert other(torch.randn(1, 5, 64, 64)).shape == (1, 2, 64, 64)
    kept, fresh = made.network.state_dict(), other.state_dict()
    differ = {key for key in kept if kept[key].shape != fresh[key].shape or not torch.equal(kept[key], fresh[key])}
    assert {re.sub(r".*\.(\w+)\.(\w+)$", r"\1.\2", key) for key in differ} == {
        "proj.weight", "classifier.weight", "classifier.bias"
    } and len(differ) == 3  # fmt: skip


def test_the_licence_is_said_for_what_is_nvidias(encoder: Path) -> None:
    assert segformer(str(encoder), 3, 2).licence == NVIDIA == "NVIDIA source code licence (non-commercial)"
    assert segformer(str(encoder), 3, 2).origin == "mit_b0.pth"
    encoder.rename(encoder.with_name("ours.pth"))
    licence = segformer(str(encoder.with_name("ours.pth")), 3, 2).licence
    assert licence is not None and licence.startswith("that of ours.pth; NVIDIA")


def test_shapes_are_read_off_the_file_and_its_names_are_the_published_ones(encoder: Path) -> None:
    read = read_mit(encoder)
    assert read.shape == {
        "hidden_sizes": list(SIZES), "depths": list(DEPTHS), "patch_sizes": [7, 3, 3, 3],
        "num_attention_heads": list(HEADS),
        "mlp_ratios": [4] * 4, "sr_ratios": list(REDUCTIONS), "decoder_hidden_size": 256,
    }  # fmt: skip
    assert set(encoder_keys(DEPTHS, REDUCTIONS)) == set(shapes())
    assert set(decoder_keys()) == {each for each in decoder_shapes() if "conv_seg" not in each}
    assert read_mit(as_mmseg(encoder)).shape["decoder_hidden_size"] == DECODER


@pytest.mark.parametrize(
    ("without", "more", "message"),
    [
        (
            r"block1\.1\.mlp\.fc2\.bias",
            {},
            r"lacks 1 weights of a MiT and has 0 others, first block1\.1\.mlp\.fc2\.bias",
        ),
        (r"block2\.", {}, r"has no 'block2\.0'"),
        (r"nothing", {"block1.0.attn.qkv.weight": 3, "decode.bias": 1}, "has 2 others, first block1.0.attn.qkv.weight"),
        (r".*", {"layers.0.0.proj.weight": 3}, r"has no 'block1\.0'; expected .* NVIDIA's names"),
        (r"nothing", {"block1.0.mlp.fc2.weight": 5}, "1 weights do not fit .* first .*blocks.0.mlp.fc2.weight"),
        (r"patch_embed1\.norm\.weight", {"patch_embed1.norm.weight": 9}, "1 weights do not fit"),
    ],
)
def test_what_is_missing_or_too_much_is_told(encoder: Path, without: str, more: dict[str, int], message: str) -> None:
    state = {key: each for key, each in torch.load(encoder).items() if not re.match(without, key)}
    torch.save({**state, **{key: torch.zeros(size) for key, size in more.items()}}, encoder)
    with pytest.raises(FormatError, match=message):
        segformer(str(encoder), 3, 2)


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.pth: there is no such file; expected the state dict of a MiT"):
        segformer(str(tmp_path / "none.pth"), 3, 2)
    path = tmp_path / "mit_b0.pth"
    path.write_bytes(b"no zip")
    with pytest.raises(FormatError, match="expected"):
        segformer(str(path), 3, 2)
    torch.save({"state_dict": {"epoch": 3}}, path)
    with pytest.raises(FormatError, match="holds no weights by name"):
        segformer(str(path), 3, 2)
    torch.save({"code": Path}, path)  # a class, which only running code could bring back
    with pytest.raises(FormatError, match="reading that could run code"):
        segformer(str(path), 3, 2)
