"""What the tests of the Python package share."""

import os
import pathlib

import numpy as np

import wildrayzer

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
HALL = sorted((REPOSITORY / "examples/photos/hall").glob("*.jpg"))
PROGRAM = os.environ.get("WILDRAYZER_PROGRAM", "wildrayzer")


def tiny_model(**arguments):
    """So small that a test takes a second: 64 x 64 pixels, width 64, one layer each, random weights."""
    overrides = [
        "model.target_image.height=64",
        "model.target_image.width=64",
        "model.image_tokenizer.image_size=64",
        "model.target_pose_tokenizer.image_size=64",
        "model.transformer.d=64",
        "model.transformer.d_head=32",
        "model.transformer.encoder_n_layer=1",
        "model.transformer.encoder_geom_n_layer=1",
        "model.transformer.decoder_n_layer=1",
        "model.scene_latent.length=16",
    ]
    return wildrayzer.Reconstructor(init="random", overrides=overrides, precision="fp32", **arguments)


def pictures(count=3, height=60, width=80):
    """Arrays with structure everywhere; no two are alike."""
    dice = np.random.default_rng(7)
    coarse = dice.integers(0, 256, (count, height // 10, width // 10, 3), np.uint8)
    return [np.ascontiguousarray(np.kron(one, np.ones((10, 10, 1), np.uint8))) for one in coarse]
