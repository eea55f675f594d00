#!/usr/bin/env python3
"""The peer: the model of this repository, written plainly in PyTorch, to say how fast the C++ program is.

    build/wildrayzer check --peer-case case.safetensors         # weights, images, and what the program makes of them
    python3 bench/peer/peer.py case.safetensors --json peer.json

It needs torch and numpy, nothing else. It reads the weights and the images of the case, computes cameras and
renderings, and compares them with the program's BEFORE anything is timed; every variant that is timed (eager or
compiled, fp32 or bf16) is compared on its own. README.md beside this file says what is timed and what is not.

Notation: B scenes, V = K + T views (K inputs first, then T targets), n tokens a view, width d, h heads of size D,
S scene tokens. The modules carry the names of the checkpoint's tensors. The motion estimator is left out on both
sides: nothing is masked.
"""
import argparse
import copy
import itertools
import json
import math
import mmap
import os
import platform
import re
import resource
import statistics
import sys
import time
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class Refusal(Exception):
    """Said in one line; the program ends with status 1."""


# ---------------------------------------------------------------------------------------------- files

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
          "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8,
          "BOOL": torch.bool}
MAX_HEADER = 100_000_000


def read_safetensors(path):
    """Tensors by name, and the metadata. The file is: u64 length of the header (little-endian); the header, JSON
    {name: {dtype, shape, data_offsets}}; the data, without gaps."""
    def no_duplicates(pairs):
        if len({key for key, _ in pairs}) != len(pairs):
            raise Refusal(f"{path}: a name occurs twice in the header")
        return dict(pairs)

    def natural(x):
        return type(x) is int and 0 <= x < 2**62

    try:
        file_size = os.path.getsize(path)
        if file_size < 8:
            raise Refusal(f"{path}: {file_size} bytes are no safetensors file")
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(MAX_HEADER, file_size - 8):
                raise Refusal(f"{path}: a header of {length} bytes in a file of {file_size}")
            header = json.loads(file.read(length).decode("utf-8"), object_pairs_hook=no_duplicates)
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except OSError as error:
        raise Refusal(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise Refusal(f"{path}: the header is not JSON") from None
    if not isinstance(header, dict):
        raise Refusal(f"{path}: the header is not a JSON object")
    metadata = header.pop("__metadata__", {})
    tensors, spans, size = {}, [], file_size - 8 - length
    for name, entry in header.items():
        try:
            dtype, shape, (begin, end) = DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
        except (KeyError, TypeError, ValueError):
            raise Refusal(f"{path}: tensor {name!r} has no usable dtype, shape or data_offsets") from None
        if not (isinstance(shape, list) and all(map(natural, [*shape, begin, end])) and begin <= end <= size):
            raise Refusal(f"{path}: tensor {name!r} lies outside of the file")
        if math.prod(shape) * dtype.itemsize != end - begin:
            raise Refusal(f"{path}: tensor {name!r} has {end - begin} bytes, not those of its shape")
        spans.append((begin, end))
        flat = (torch.frombuffer(data, dtype=dtype, count=math.prod(shape), offset=8 + length + begin)
                if end > begin else torch.empty(0, dtype=dtype))
        tensors[name] = flat.view(shape)
    spans.sort()
    if [begin for begin, _ in spans] + [size] != [0] + [end for _, end in spans]:
        raise Refusal(f"{path}: tensors overlap, or there are gaps between them")
    return tensors, metadata if isinstance(metadata, dict) else {}


@dataclass(frozen=True)
class Config:
    height: int
    width: int
    patch: int
    d: int
    d_head: int
    scene: str  # codes (learned, carried along by the renderer) or tokens (of the inputs, attended to)
    scene_tokens: int
    view_code: str  # number or canonical
    camera_attention: str  # global or alternating
    camera_layers: int
    scene_layers: int
    render_layers: int
    pose: str  # 6d or quat
    canonical: str  # first or middle
    focal: str  # published, bounded or centred

    @property
    def n(self):
        return (self.height // self.patch) * (self.width // self.patch)

    def canonical_index(self, views):
        return 0 if self.canonical == "first" else views // 2


def parse_config(text):
    """The model's configuration as the program writes it: lines `key: value` and `key: {key: value, ...}`."""
    values = {}
    for key, value in re.findall(r"(\w+):\s*(\{[^{}]*\}|[^\s{}][^\n{}]*)", text.replace("model:\n", "", 1)):
        parts = re.findall(r"(\w+):\s*([^,{}\n]+)", value) if value.startswith("{") else [("", value)]
        values.update({f"{key}.{part}" if part else key: v.strip().strip('"') for part, v in parts})

    def number(key):
        if not re.fullmatch(r"\d{1,6}", values.get(key, "")):
            raise Refusal(f"the configuration has no number {key}")
        return int(values[key])

    def one_of(key, *names):
        if values.get(key) not in names:
            raise Refusal(f"{key} is {values.get(key)!r} in the configuration, not one of {', '.join(names)}")
        return values[key]

    config = Config(
        height=number("target_image.height"), width=number("target_image.width"),
        patch=number("image_tokenizer.patch_size"), d=number("transformer.d"), d_head=number("transformer.d_head"),
        scene=one_of("scene", "codes", "tokens"), scene_tokens=number("scene_latent.length"),
        view_code=one_of("view_code", "number", "canonical"),
        camera_attention=one_of("camera_attention", "global", "alternating"),
        camera_layers=number("transformer.encoder_n_layer"), scene_layers=number("transformer.encoder_geom_n_layer"),
        render_layers=number("transformer.decoder_n_layer"), pose=one_of("pose_latent.representation", "6d", "quat"),
        canonical=one_of("pose_latent.canonical", "first", "middle"),
        focal=one_of("pose_latent.focal", "published", "bounded", "centred"))
    if (0 in (config.patch, config.d, config.d_head, config.camera_layers, config.scene_layers, config.render_layers)
            or config.d % config.d_head or config.d % 8 or config.height % config.patch
            or config.width % config.patch or config.n == 0):
        raise Refusal("the sizes in the configuration do not fit together")
    return config


# ---------------------------------------------------------------------------------------------- the model

def layer_norm(width):
    return nn.LayerNorm(width, bias=False)  # eps 1e-5


class RmsNorm(nn.Module):
    """Over the last dimension; the sum of squares in fp32."""

    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        weight = self.weight.to(x.dtype)
        if x.is_cuda or torch.compiler.is_compiling():
            return F.rms_norm(x, weight.shape, weight, 1e-5)  # one kernel
        # On the CPU that is five passes over memory; these are two, three times as fast.
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        return x * torch.rsqrt(norm * norm / x.shape[-1] + 1e-5).to(x.dtype) * weight


class SelfAttention(nn.Module):
    def __init__(self, d, d_head):
        super().__init__()
        self.d, self.d_head = d, d_head
        self.to_qkv = nn.Linear(d, 3 * d, bias=False)
        self.fc = nn.Linear(d, d, bias=False)
        self.q_norm = RmsNorm(d_head)
        self.k_norm = RmsNorm(d_head)

    def forward(self, x, asking=None):
        """x [B, N, d]; `asking` [B, Q, d]: only these ask, all of x answers."""
        if asking is None:
            q, k, v = self.to_qkv(x).unflatten(-1, (3, -1, self.d_head)).unbind(2)  # [B, N, h, D]
        else:
            q = F.linear(asking, self.to_qkv.weight[:self.d]).unflatten(-1, (-1, self.d_head))
            k, v = F.linear(x, self.to_qkv.weight[self.d:]).unflatten(-1, (2, -1, self.d_head)).unbind(2)
        q, k = self.q_norm(q), self.k_norm(k)
        mixed = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        return self.fc(mixed.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(d, 4 * d, bias=False), nn.GELU(), nn.Linear(4 * d, d, bias=False))

    def forward(self, x):
        return self.mlp(x)


class Block(nn.Module):
    """x += attn(norm1(x)); x += mlp(norm2(x)). The residual stream is fp32 in every precision."""

    def __init__(self, d, d_head):
        super().__init__()
        self.norm1, self.attn = layer_norm(d), SelfAttention(d, d_head)
        self.norm2, self.mlp = layer_norm(d), Mlp(d)

    def forward(self, x, wanted=None):
        """`wanted` [B, Q, d], some of x's tokens: the outputs of these alone."""
        if wanted is None:
            x = x + self.attn(self.norm1(x))
        else:
            x = wanted + self.attn(self.norm1(x), self.norm1(wanted))
        return x + self.mlp(self.norm2(x))


class CrossAttention(nn.Module):
    def __init__(self, d, d_head):
        super().__init__()
        self.d_head = d_head
        self.to_q = nn.Linear(d, d, bias=False)
        self.to_kv = nn.Linear(d, 2 * d, bias=False)
        self.fc = nn.Linear(d, d, bias=False)
        self.q_norm = RmsNorm(d_head)
        self.k_norm = RmsNorm(d_head)

    def remember(self, scene):
        """scene [B, S, d] -> its keys and values, each [B, h, S, D]."""
        k, v = self.to_kv(scene).unflatten(-1, (2, -1, self.d_head)).unbind(2)
        return self.k_norm(k).transpose(1, 2), v.transpose(1, 2)

    def forward(self, x, keys, values):
        q = self.q_norm(self.to_q(x).unflatten(-1, (-1, self.d_head)))
        mixed = F.scaled_dot_product_attention(q.transpose(1, 2), keys, values)
        return self.fc(mixed.transpose(1, 2).flatten(2))


class CrossBlock(nn.Module):
    """Attention within each view, then to the scene, then the MLP."""

    def __init__(self, d, d_head):
        super().__init__()
        self.norm1, self.attn = layer_norm(d), SelfAttention(d, d_head)
        self.norm_cross, self.cross_attn = layer_norm(d), CrossAttention(d, d_head)
        self.norm2, self.mlp = layer_norm(d), Mlp(d)

    def forward(self, x, keys, values):
        """x [B, T, n, d]."""
        views = x.flatten(0, 1)
        tokens = (views + self.attn(self.norm1(views))).view(x.shape).flatten(1, 2)  # to the scene all views are alike
        tokens = tokens + self.cross_attn(self.norm_cross(tokens), keys, values)
        return (tokens + self.mlp(self.norm2(tokens))).view(x.shape)


class Patchify(nn.Module):
    """[..., C, H, W] -> [..., n, p p C], channel fastest."""

    def __init__(self, patch):
        super().__init__()
        self.patch = patch

    def forward(self, x):
        *lead, c, height, width = x.shape
        p = self.patch
        x = x.reshape(-1, c, height // p, p, width // p, p).permute(0, 2, 4, 3, 5, 1)
        return x.reshape(*lead, (height // p) * (width // p), p * p * c)


def silu_mlp(d_in, hidden, out):
    return nn.Sequential(nn.Linear(d_in, hidden), nn.SiLU(), nn.Linear(hidden, out))


class CameraHead(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.rotation = 6 if config.pose == "6d" else 4
        self.rel_head = silu_mlp(2 * config.d, config.d, self.rotation + 3)
        self.canonical_k_head = silu_mlp(config.d, config.d, 1)


def sincos(dim, positions):
    """[sin(pos f_k), cos(pos f_k)], f_k = 10000^(-2k/dim), k < dim/2; positions [N] -> [N, dim]."""
    frequencies = torch.exp(torch.arange(dim // 2, dtype=torch.float64) * (-math.log(10000.0) / (dim // 2)))
    angles = positions.double()[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], 1).float()


class RayZer(nn.Module):
    """For scenes of `views` views. What depends on sizes alone is computed here, once."""

    def __init__(self, config, views):
        super().__init__()
        self.config, self.views = config, views
        d, p = config.d, config.patch
        if config.scene == "codes":
            self.scene_code = nn.Parameter(torch.zeros(config.scene_tokens, d))
        self.cam_code = nn.Parameter(torch.zeros(1, d))
        self.image_tokenizer = nn.Sequential(Patchify(p), nn.Linear(3 * p * p, d, bias=False))
        self.pe_embedder = silu_mlp(d, d, d)
        self.temporal_pe_embedder = silu_mlp(d, d, d)
        self.transformer_encoder = nn.ModuleList(Block(d, config.d_head) for _ in range(config.camera_layers))
        self.transformer_encoder_geom = nn.ModuleList(Block(d, config.d_head) for _ in range(config.scene_layers))
        self.decoder_ln = layer_norm(d)
        render_block = Block if config.scene == "codes" else CrossBlock
        self.transformer_decoder = nn.ModuleList(render_block(d, config.d_head) for _ in range(config.render_layers))
        self.pose_predictor = CameraHead(config)
        self.target_pose_tokenizer = nn.Sequential(Patchify(p), nn.Linear(6 * p * p, d, bias=False))  # of inputs
        self.target_pose_tokenizer2 = nn.Sequential(Patchify(p), nn.Linear(6 * p * p, d, bias=False))  # to render
        self.mlp_fuse = nn.Sequential(layer_norm(2 * d), nn.Linear(2 * d, d), nn.SiLU(), nn.Linear(d, d))
        self.image_token_decoder = nn.Sequential(layer_norm(d), nn.Linear(d, 3 * p * p, bias=False))

        rows, columns = config.height // p, config.width // p
        canonical = config.canonical_index(views)
        number = torch.arange(views)
        is_other = (number != canonical).float()
        position = number if config.view_code == "number" else is_other
        by_column = sincos(d // 4, torch.arange(columns)).expand(rows, columns, d // 4)
        by_row = sincos(d // 4, torch.arange(rows)).unsqueeze(1).expand(rows, columns, d // 4)
        place = torch.cat([by_column, by_row], -1).flatten(0, 1).expand(views, config.n, d // 2)
        view = sincos(d // 2, position).unsqueeze(1).expand(views, config.n, d // 2)
        identity = torch.tensor([1, 0, 0, 0, 1, 0, 0, 0, 0] if config.pose == "6d" else [1, 0, 0, 0, 0, 0, 0])
        for name, value in {
                "position_code": torch.cat([place, view], -1), "view_code": sincos(d, position),
                "is_other": is_other[:, None], "identity": identity.float(),
                "bottom": torch.tensor([0.0, 0.0, 0.0, 1.0]),
                "pixel_x": (torch.arange(config.width) + 0.5) / config.width,
                "pixel_y": ((torch.arange(config.height) + 0.5) / config.height)[:, None]}.items():
            self.register_buffer(name, value, persistent=False)

    def tokenize(self, images):
        """images [B, V, 3, H, W] in [0, 1] -> tokens [B, V, n, d]."""
        return self.image_tokenizer(images * 2 - 1).float() + self.pe_embedder(self.position_code).float()

    def estimate_cameras(self, tokens):
        """tokens [B, V, n, d] -> c2w [B, V, 4, 4] and fxfycxcy [B, V, 4]."""
        batch, views = tokens.shape[:2]
        code = self.cam_code + self.temporal_pe_embedder(self.view_code).float()  # [V, d]
        # Each view's camera token in front of its image tokens; attention over all does not mind the order.
        x = torch.cat([code[None, :, None].expand(batch, -1, -1, -1), tokens], 2)  # [B, V, 1 + n, d]
        for i, block in enumerate(self.transformer_encoder):
            within = self.config.camera_attention == "alternating" and i % 2 == 1
            last = i + 1 == len(self.transformer_encoder)
            sequence = x.flatten(0, 1) if within else x.flatten(1, 2)
            wanted = None if not last else x[:, :, 0] if not within else x[:, :, 0].reshape(batch * views, 1, -1)
            x = block(sequence, wanted).view(batch, views, -1, self.config.d)
        return self.decode_cameras(x[:, :, 0])

    def decode_cameras(self, tokens):
        """camera tokens [B, V, d] -> cameras; fp32 after the two perceptrons."""
        head, canonical = self.pose_predictor, tokens[:, self.config.canonical_index(self.views)].unsqueeze(1)
        offset = head.rel_head(torch.cat([canonical.expand_as(tokens), tokens], -1)).float()
        pose = self.identity + offset * self.is_other
        code, position = pose.split([head.rotation, 3], -1)
        if head.rotation == 6:
            b1 = F.normalize(code[..., :3], dim=-1)
            a2 = code[..., 3:]
            b2 = F.normalize(a2 - (b1 * a2).sum(-1, keepdim=True) * b1, dim=-1)
            rotation = torch.stack([b1, b2, torch.linalg.cross(b1, b2)], -1)
        else:
            w, x, y, z = F.normalize(code, dim=-1).unbind(-1)
            rotation = torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
                                    2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
                                    2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
                                   -1).unflatten(-1, (3, 3))
        top = torch.cat([rotation, position.unsqueeze(-1)], -1)
        c2w = torch.cat([top, self.bottom.expand(*top.shape[:2], 1, 4)], -2)

        x = head.canonical_k_head(canonical).float()  # [B, 1, 1]
        if self.config.focal == "published":
            focal = 1.25 + x
        else:
            centre, span = {"bounded": (1.25, 0.7), "centred": (0.866, 0.77)}[self.config.focal]
            focal = centre * torch.exp(span * torch.tanh(x))
        focal = focal.expand(-1, tokens.shape[1], 2)
        return c2w, torch.cat([focal, torch.full_like(focal, 0.5)], -1)

    def rays(self, c2w, fxfycxcy):
        """Plücker coordinates [origin x direction, direction] of the pixel centres, [B, V, 6, H, W], fp32."""
        fx, fy, cx, cy = fxfycxcy[..., None, None, None].unbind(2)  # [B, V, 1, 1, 1]
        c0, c1, c2, origin = c2w[:, :, :3, :, None, None].unbind(3)  # [B, V, 3, 1, 1]
        direction = c0 * ((self.pixel_x - cx) / fx) + c1 * ((self.pixel_y - cy) / fy) + c2
        # By components: over a dimension in the middle, linalg.vector_norm and linalg.cross are many times slower.
        direction = direction * (direction * direction).sum(2, keepdim=True).rsqrt()
        (ox, oy, oz), (dx, dy, dz) = origin.unbind(2), direction.unbind(2)
        return torch.stack([oy * dz - oz * dy, oz * dx - ox * dz, ox * dy - oy * dx, dx, dy, dz], 2)

    def encode(self, tokens, c2w, fxfycxcy):
        """Of the inputs, tokens [B, K, n, d] -> what the renderer remembers: with `codes` [B, S, d], with `tokens`
        keys and values of every block."""
        ray_tokens = self.target_pose_tokenizer(self.rays(c2w, fxfycxcy)).float()
        x = self.mlp_fuse(torch.cat([tokens, ray_tokens], -1)).float().flatten(1, 2)  # [B, K n, d]
        codes = self.config.scene == "codes"
        if codes:
            x = torch.cat([self.scene_code.expand(len(x), -1, -1), x], 1)
        for i, block in enumerate(self.transformer_encoder_geom):
            last = i + 1 == len(self.transformer_encoder_geom)
            x = block(x, x[:, :self.config.scene_tokens] if codes and last else None)
        scene = self.decoder_ln(x)
        return scene if codes else [block.cross_attn.remember(scene) for block in self.transformer_decoder]

    def render(self, scene, c2w, fxfycxcy):
        """Any T cameras -> images [B, T, 3, H, W] in [0, 1]."""
        batch, targets = c2w.shape[:2]
        config, n = self.config, self.config.n
        x = self.decoder_ln(self.target_pose_tokenizer2(self.rays(c2w, fxfycxcy)).float())  # [B, T, n, d]
        if config.scene == "codes":  # each target is a sequence of its own: [B T, n + S, d]
            x = torch.cat([x, scene.unsqueeze(1).expand(-1, targets, -1, -1)], 2).flatten(0, 1)
            for i, block in enumerate(self.transformer_decoder):
                x = block(x, x[:, :n] if i + 1 == len(self.transformer_decoder) else None)
            x = x.view(batch, targets, n, config.d)
        else:
            for block, (keys, values) in zip(self.transformer_decoder, scene):
                x = block(x, keys, values)
        pixels = torch.sigmoid(self.image_token_decoder(x).float())
        p, rows, columns = config.patch, config.height // config.patch, config.width // config.patch
        pixels = pixels.view(batch, targets, rows, columns, p, p, 3).permute(0, 1, 6, 2, 4, 3, 5)
        return pixels.reshape(batch, targets, 3, config.height, config.width)

    def forward(self, images, inputs):
        """images [B, V, 3, H, W], the first `inputs` make the scene -> renderings of the others, and cameras."""
        tokens = self.tokenize(images)
        c2w, fxfycxcy = self.estimate_cameras(tokens)
        scene = self.encode(tokens[:, :inputs], c2w[:, :inputs], fxfycxcy[:, :inputs])
        return self.render(scene, c2w[:, inputs:], fxfycxcy[:, inputs:]), c2w, fxfycxcy


# ---------------------------------------------------------------------------------------------- operations

def count_flops(config, batch, inputs, targets):
    """Floating-point operations of a pass: its matrix products and attention (a multiplication and an addition are
    two), nothing else. A training step counts three times that: each product has two in the backward pass; what
    flash attention computes again there is not counted."""
    d, n, p, views = config.d, config.n, config.patch, inputs + targets

    def linear(rows, d_in, d_out):
        return 2 * rows * d_in * d_out

    def attend(queries, keys):  # q k^T and the mix of the values, all heads
        return 4 * queries * keys * d

    def block(tokens, wanted=None):  # queries, keys and values; attention; its output; up and down
        q = tokens if wanted is None else wanted
        return (linear(q, d, d) + linear(tokens, d, 2 * d) + attend(q, tokens) + linear(q, d, d)
                + 2 * linear(q, d, 4 * d))

    # The last block of a stack computes only what is read of it.
    cameras = 0
    for i in range(config.camera_layers):
        within = config.camera_attention == "alternating" and i % 2 == 1
        sequences, tokens = (views, 1 + n) if within else (1, views * (1 + n))
        last = i + 1 == config.camera_layers
        cameras += sequences * block(tokens, views // sequences if last else None)
    pose_size = 9 if config.pose == "6d" else 7
    heads = linear(views, 2 * d, d) + linear(views, d, pose_size) + linear(1, d, d) + linear(1, d, 1)

    fused = inputs * n
    fuse = linear(fused, 6 * p * p, d) + linear(fused, 2 * d, d) + linear(fused, d, d)
    if config.scene == "codes":
        scene_tokens = config.scene_tokens
        encode = (config.scene_layers - 1) * block(scene_tokens + fused) + block(scene_tokens + fused, scene_tokens)
        view = (config.render_layers - 1) * block(n + scene_tokens) + block(n + scene_tokens, n)
    else:
        encode = config.scene_layers * block(fused) + config.render_layers * linear(fused, d, 2 * d)
        view = config.render_layers * (block(n) + 2 * linear(n, d, d) + attend(n, fused))
    view += linear(n, 6 * p * p, d) + linear(n, d, 3 * p * p)  # rays in, pixels out

    codes = 2 * linear(views * n, d, d) + 2 * linear(views, d, d)  # of positions: once for all scenes
    a_scene = linear(views * n, 3 * p * p, d) + cameras + heads + fuse + encode + targets * view
    return {"inference": codes + batch * a_scene, "one_view": batch * view, "train_step": 3 * (codes + batch * a_scene)}


# ---------------------------------------------------------------------------------------------- check and time

LIMITS = {"fp32": {"max": 1e-4, "mean": 1e-4, "cameras": 1e-4}, "bf16": {"max": 2e-2, "mean": 5e-3, "cameras": 2e-2}}


class Case:
    def __init__(self, path, device):
        tensors, metadata = read_safetensors(path)
        self.name, self.device = os.path.basename(path), device
        for name in ("images", "c2w", "fxfycxcy", "renderings"):
            if name not in tensors:
                raise Refusal(f"{path}: there is no tensor {name!r}: it is not a case")
        try:
            about = json.loads(metadata.get("wildrayzer.case", ""))
            self.inputs = about["inputs"]
            self.loss_after = {int(steps): float(loss) for steps, loss in (about.get("loss_after") or {}).items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            raise Refusal(f"{path}: the metadata wildrayzer.case is not {{\"inputs\": K}}") from None
        config = self.config = parse_config(metadata.get("wildrayzer.config", ""))
        images = tensors["images"]
        if images.dim() != 5 or images.shape[2:] != (3, config.height, config.width):
            raise Refusal(f"{path}: images are not [B, V, 3, {config.height}, {config.width}]")
        self.batch, self.views = images.shape[:2]
        if type(self.inputs) is not int or not 0 < self.inputs < self.views:
            raise Refusal(f"{path}: {self.inputs} inputs of {self.views} views")
        self.targets = self.views - self.inputs
        shapes = {"c2w": (self.batch, self.views, 4, 4), "fxfycxcy": (self.batch, self.views, 4),
                  "renderings": (self.batch, self.targets, *images.shape[2:])}
        for name, shape in shapes.items():
            if tensors[name].shape != shape:
                raise Refusal(f"{path}: {name} is {list(tensors[name].shape)}, not {list(shape)}")
        self.images, self.c2w, self.fxfycxcy, self.renderings = (
            tensors[name].to(device, torch.float32) for name in ("images", "c2w", "fxfycxcy", "renderings"))

        model = RayZer(config, self.views)
        weights = {name[6:]: tensor.float() for name, tensor in tensors.items() if name.startswith("model.")}
        # Weights of what is left out here. All others must be there, and be used.
        weights = {name: w for name, w in weights.items() if not name.startswith("motion_") and name != "noise_token"}
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            raise Refusal(f"{path}: weights do not fit: " + " ".join(str(error).split())[:300]) from None
        self.model = model  # on the CPU; what is timed is a copy
        self.flops = count_flops(config, self.batch, self.inputs, self.targets)

    def check(self, outputs, precision, what):
        """Raises unless renderings and cameras are the program's; what was found, as numbers."""
        renderings, c2w, fxfycxcy = (output.float() for output in outputs)
        difference = (renderings - self.renderings).abs()
        found = {"max": difference.max(), "mean": difference.mean(),
                 "cameras": torch.maximum((c2w - self.c2w).abs().max(), (fxfycxcy - self.fxfycxcy).abs().max())}
        found = {key: value.item() for key, value in found.items()}
        for key, limit in LIMITS[precision].items():
            if not found[key] <= limit:  # also when it is not a number
                of = "cameras are" if key == "cameras" else f"renderings are ({key})"
                raise Refusal(f"{self.name}: {what}: {of} off by {found[key]:.2g}, more than {limit}")
        return found


def autocast(case, precision):
    return torch.autocast(case.device.type, torch.bfloat16, enabled=precision == "bf16")


def for_inference(case, precision):
    """With bf16, matrices are converted once instead of in every pass; norms and codes stay fp32."""
    model = copy.deepcopy(case.model).to(case.device).eval().requires_grad_(False)
    for module in model.modules():
        if precision == "bf16" and isinstance(module, nn.Linear):
            module.to(torch.bfloat16)
    return model


def measure(case, call, repeats):
    """Milliseconds of each call, after warming up; on the CPU also those in which the processor worked for it, all
    threads together: far less than the time that passed says that other programs were in the way. On CUDA calls are
    queued without waiting for one another, which hides what Python does before a kernel starts, where it can be."""
    cuda = case.device.type == "cuda"
    start = time.perf_counter()
    call()
    if cuda:
        torch.cuda.synchronize()
    once = time.perf_counter() - start
    for _ in range(5 if cuda else 1 if once < 2 else 0):
        call()
    if repeats is None:
        repeats = 30 if cuda else max(3, min(20, int(15 / max(once, 1e-3))))
    if not cuda:
        times, worked = [], []
        for _ in range(repeats):
            start, start_worked = time.perf_counter(), time.process_time()
            call()
            times.append((time.perf_counter() - start) * 1e3)
            worked.append((time.process_time() - start_worked) * 1e3)
        return times, worked
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    events = [torch.cuda.Event(enable_timing=True) for _ in range(repeats + 1)]
    events[0].record()
    for event in events[1:]:
        call()
        event.record()
    torch.cuda.synchronize()
    return [a.elapsed_time(b) for a, b in zip(events, events[1:])], None


def compiled(case, function, mode, model, regional=False):
    """`function` of the model: eager (mode None), or through torch.compile. Whole, or regional: block by block, which
    compiles several times as fast and fuses a little less."""
    if mode is None:
        return function
    how = {"mode": mode}
    if mode == "default" and case.device.type == "cpu" and not regional and not model.training:
        how = {"options": {"freezing": True}}  # constant weights may be laid out anew for the products, once
    if not regional:
        return torch.compile(function, dynamic=False, fullgraph=True, **how)
    for block in [*model.transformer_encoder, *model.transformer_encoder_geom, *model.transformer_decoder]:
        block.compile(dynamic=False, fullgraph=True, **how)
    return function


def report(case, work, measured, **more):
    (times, worked), flops = measured, case.flops[work]
    median = statistics.median(times)
    result = {"case": case.name, "work": work, "ms_median": median, "ms_min": min(times), "repeats": len(times),
              "flop": flops, "tflop_per_s": flops / median / 1e9, **more}
    if worked:
        result["processor_ms_median"] = statistics.median(worked)
    if case.device.type == "cuda":
        result["peak_bytes"] = torch.cuda.max_memory_allocated()
        result["peak_reserved_bytes"] = torch.cuda.max_memory_reserved()  # with what CUDA graphs hold
    label = f"{more['precision']} {more['compile_mode'] or 'eager'}"
    print(f"{case.name}  {work:10} {label:40} {median:10.3f} ms (best {min(times):.3f})  "
          f"{result['tflop_per_s']:8.3f} TFLOP/s", flush=True)
    return result


def step_begins():
    torch.compiler.cudagraph_mark_step_begin()


def labels_of(precision, mode, regional):
    return {"precision": precision, "mode": "compile" if mode else "eager",
            "compile_mode": mode and mode + (", block by block" if regional else "")}


def time_inference(case, precision, mode, regional, repeats):
    """Photos to cameras and renderings of all targets."""
    model, labels = for_inference(case, precision), labels_of(precision, mode, regional)
    whole = compiled(case, lambda images: model(images, case.inputs), mode, model, regional)

    def run():
        step_begins()
        return whole(case.images)

    with torch.inference_mode(), autocast(case, precision):
        found = case.check(run(), precision, f"{labels['mode']} {precision}")
        return report(case, "inference", measure(case, run, repeats), check=found, **labels)


def time_one_view(case, precision, mode, regional, repeats):
    """One more view of a scene that is encoded: the first target."""
    model, labels = for_inference(case, precision), labels_of(precision, mode, regional)
    with torch.inference_mode(), autocast(case, precision):
        known = [case.c2w[:, :case.inputs], case.fxfycxcy[:, :case.inputs]]
        scene = model.encode(model.tokenize(case.images)[:, :case.inputs], *known)
        camera = [cameras[:, case.inputs:case.inputs + 1].clone() for cameras in (case.c2w, case.fxfycxcy)]
        if mode and case.device.type == "cuda":  # the scene stays where it is: a CUDA graph need not copy it
            for tensor in [scene] if torch.is_tensor(scene) else [x for block in scene for x in block]:
                torch._dynamo.mark_static_address(tensor)
        view = compiled(case, model.render, mode, model, regional)

        def run():
            step_begins()
            return view(scene, *camera)

        difference = (run()[:, 0].float() - case.renderings[:, 0]).abs().max().item()
        if not difference <= LIMITS[precision]["max"]:
            raise Refusal(f"{case.name}: {labels['mode']} {precision}: one view is off by {difference:.2g}")
        return report(case, "one_view", measure(case, run, repeats), check={"max": difference}, **labels)


class Training:
    """Mean squared error of the targets; clip at 1; AdamW. Matrices are fp32, products in `precision`."""

    def __init__(self, case, precision, mode, regional):
        self.case, self.precision = case, precision
        self.model = copy.deepcopy(case.model).to(case.device).train()
        parameters = list(self.model.parameters())
        groups = [{"params": [w for w in parameters if w.dim() > 1], "weight_decay": 0.05},
                  {"params": [w for w in parameters if w.dim() <= 1], "weight_decay": 0.0}]
        self.parameters = parameters
        self.optimizer = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.95), fused=True)
        self.loss = compiled(case, self.forward, mode, self.model, regional)

    def forward(self, images):
        renderings, _, _ = self.model(images, self.case.inputs)
        return F.mse_loss(renderings, images[:, self.case.inputs:])

    def step(self):
        step_begins()
        with autocast(self.case, self.precision):
            loss = self.loss(self.case.images)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach()


def time_training(case, precision, mode, regional, repeats):
    labels = labels_of(precision, mode, regional)
    expected = {0: F.mse_loss(case.renderings, case.images[:, case.inputs:]).item(), **case.loss_after}
    training = Training(case, precision, mode, regional)
    tolerance, found = (1e-3 if precision == "fp32" else 3e-2), {}
    for step in range(max(expected) + 1):  # the loss of a step is that after `step` updates
        loss = training.step().item()
        if step in expected:
            found[str(step)] = loss
            if not abs(loss - expected[step]) <= tolerance * expected[step] + 1e-7:
                raise Refusal(f"{case.name}: {labels['mode']} {precision}: the loss after {step} steps is {loss:.6g}, "
                              f"not {expected[step]:.6g}")
    return report(case, "train_step", measure(case, training.step, repeats), check={"loss_after": found}, **labels)


WORKS = {"inference": time_inference, "one_view": time_one_view, "train_step": time_training}


def check_first(case):
    """In fp32, without TF32, eager: are the weights and the model the program's?"""
    model = for_inference(case, "fp32")
    with torch.inference_mode():
        found = case.check(model(case.images, case.inputs), "fp32", "eager fp32")
    print(f"{case.name}: {case.batch} scenes of {case.inputs} + {case.targets} views, {case.config.width} x "
          f"{case.config.height}, {case.flops['inference'] / 1e12:.4g} TFLOP; as the program's: renderings within "
          f"{found['max']:.1e}, cameras within {found['cameras']:.1e}", flush=True)
    return {"case": case.name, "batch": case.batch, "inputs": case.inputs, "targets": case.targets, "check": found,
            "flops": case.flops}


def about_machine(device):
    def processor():
        try:
            with open("/proc/cpuinfo", encoding="utf-8") as file:
                return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
        except (OSError, StopIteration):
            return platform.machine()

    about = {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version(),
             "cpu": processor(), "threads": torch.get_num_threads(), "device": str(device)}
    if device.type == "cuda":
        about.update(device_name=torch.cuda.get_device_name(), cuda=torch.version.cuda,
                     cudnn=torch.backends.cudnn.version(), tf32=False)
    return about


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description="The same model in PyTorch: checked against the program, then timed.")
    parser.add_argument("cases", nargs="+", metavar="CASE", help="written by `wildrayzer check --peer-case`")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=["fp32", "bf16", "both"], help="default: bf16 on CUDA, both on the CPU")
    parser.add_argument("--mode", choices=["eager", "compile", "both"], default="both")
    parser.add_argument("--compile-modes", help="of torch.compile, by commas; the best counts. Default: default on the "
                        "CPU; reduce-overhead,max-autotune-no-cudagraphs on CUDA")
    parser.add_argument("--regional", action="store_true", help="compile block by block: takes a fraction of the time")
    parser.add_argument("--train", action="store_true", help="time training steps too")
    parser.add_argument("--only", choices=list(WORKS), help="time this alone")
    parser.add_argument("--check-only", action="store_true", help="compare and end")
    parser.add_argument("--repeats", type=int, help="timed calls of each (default: as many as are worth it)")
    parser.add_argument("--threads", type=int, help="on the CPU")
    parser.add_argument("--json", metavar="OUT", help="write all results there")
    arguments = parser.parse_args(argv)
    if arguments.repeats is not None and arguments.repeats < 1:
        parser.error("--repeats must be at least 1")
    return arguments


def run(arguments):
    device = torch.device(arguments.device)
    cuda = device.type == "cuda"
    if cuda and not torch.cuda.is_available():
        raise Refusal("there is no CUDA device, or this torch cannot use it")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    precisions = {"both": ["fp32", "bf16"], None: ["bf16"] if cuda else ["fp32", "bf16"]}.get(
        arguments.precision, [arguments.precision])
    default_modes = "reduce-overhead,max-autotune-no-cudagraphs" if cuda else "default"
    compile_modes = (arguments.compile_modes or default_modes).split(",")
    modes = {"eager": [None], "compile": compile_modes, "both": [None, *compile_modes]}[arguments.mode]
    works = ["inference", "one_view"] + ["train_step"] * arguments.train
    works = [] if arguments.check_only else [arguments.only] if arguments.only else works
    torch._dynamo.config.recompile_limit = 64  # block by block, a block is compiled for each of its shapes

    out = {"machine": about_machine(device), "cases": [], "results": [], "failed": [], "best": []}
    for path in arguments.cases:
        case = Case(path, device)
        out["cases"].append(check_first(case))
        for precision, mode, work in itertools.product(precisions, modes, works):
            torch._dynamo.reset()
            if cuda:
                torch.cuda.empty_cache()
            try:
                out["results"].append(WORKS[work](case, precision, mode, arguments.regional, arguments.repeats))
            except Refusal:
                raise
            except Exception as error:  # a variant that this torch cannot run does not keep us from the others
                why = " ".join(f"{type(error).__name__}: {error}".split())[:400]
                print(f"{case.name}  {work} {precision} {mode or 'eager'} did not run: {why}", file=sys.stderr)
                out["failed"].append({"case": case.name, "work": work, "precision": precision, "compile_mode": mode,
                                      "why": why})
        for work in case.flops:
            here = [r for r in out["results"] if r["case"] == case.name and r["work"] == work]
            if here:
                best = min(here, key=lambda r: r["ms_median"])
                out["best"].append(best)
                print(f"{case.name}  {work:10} best: {best['precision']} {best['compile_mode'] or 'eager'}, "
                      f"{best['ms_median']:.3f} ms")
    out["peak_resident_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(out, file, indent=1)
            file.write("\n")
    return 0 if not out["failed"] else 2


def main(argv=None):
    try:
        return run(parse_arguments(argv))
    except Refusal as refusal:
        print(f"peer.py: {refusal}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
