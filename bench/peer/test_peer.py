#!/usr/bin/env python3
"""Tests of peer.py that need no case: python3 bench/peer/test_peer.py. Without torch they are skipped."""
import json
import os
import sys
import tempfile
import unittest

try:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(0)

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import peer  # noqa: E402

YAML = """model:
  image_tokenizer: {{patch_size: 8}}
  target_image: {{height: 16, width: 24}}
  scene: {scene}
  scene_latent: {{length: 5}}
  view_code: {view_code}
  camera_attention: {attention}
  pose_latent: {{representation: "{pose}", canonical: "{canonical}", focal: {focal}}}
  transformer: {{d: 32, d_head: 16, encoder_n_layer: {layers}, encoder_geom_n_layer: 2, decoder_n_layer: 2,
                special_init: true, depth_init: true, init_scale: fan_in}}
  use_motion_mask: false
  token_masking: drop
  motion: {{cross_view: true, threshold: 0.5, features: own, dino_width: 32, feature_layer: 1, layers: 2,
           head_bias: true}}
  dinov3_pseudolabel: {{model_name: "facebook/dinov3-vit7b16-pretrain-lvd1689m"}}
"""
CODES = dict(scene="codes", view_code="number", attention="global", pose="6d", canonical="first", focal="published",
             layers=2)
TOKENS = dict(scene="tokens", view_code="canonical", attention="alternating", pose="quat", canonical="middle",
              focal="centred", layers=3)
ALTERNATING_LAST = dict(TOKENS, layers=2, focal="bounded")  # the last block is one within views
ALL = (CODES, TOKENS, ALTERNATING_LAST)


def tiny(options, views=5, seed=0):
    torch.manual_seed(seed)
    model = peer.RayZer(peer.parse_config(YAML.format(**options)), views)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 1.0 if parameter.dim() == 1 else 0.0, 0.1)
    return model


def encoded(header, data=b"", length=None):
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(head) if length is None else length).to_bytes(8, "little") + head + data


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "file.safetensors")

    def read(self, content):
        with open(self.path, "wb") as file:
            file.write(content)
        return peer.read_safetensors(self.path)

    def test_tensors_and_metadata(self):
        data = torch.arange(6, dtype=torch.float32).numpy().tobytes() + b"\x80\x3f" + b"\x07"
        tensors, metadata = self.read(encoded({
            "__metadata__": {"key": "value"},
            "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
            "b": {"dtype": "BF16", "shape": [], "data_offsets": [24, 26]},
            "c": {"dtype": "U8", "shape": [1], "data_offsets": [26, 27]},
            "none": {"dtype": "F32", "shape": [0, 4], "data_offsets": [27, 27]}}, data))
        self.assertEqual(metadata, {"key": "value"})
        self.assertEqual(tensors["a"].tolist(), [[0, 1, 2], [3, 4, 5]])
        self.assertEqual((tensors["b"].item(), tensors["c"].item()), (1.0, 7))
        self.assertEqual(tensors["none"].shape, (0, 4))

    def test_hostile_files_are_refused(self):
        def entry(shape, begin, end, dtype="F32"):
            return {"a": {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}}

        four = b"\0" * 4
        hostile = {
            "empty": b"",
            "too short": b"\0" * 7,
            "header longer than the file": encoded({}, length=100),
            "header of 2^63 bytes": encoded({}, length=2**63),
            "not JSON": encoded(b"{"),
            "not UTF-8": encoded(b"\xff\xfe"),
            "deeply nested": encoded(b"[" * 200_000),
            "a list": encoded([]),
            "a number too long to convert": encoded(b'{"a":' + b"1" * 5000 + b"}"),
            "a name twice": encoded(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
                                    b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"\0"),
            "beyond the end": encoded(entry([2], 0, 8), four),
            "begins behind its end": encoded(entry([1], 4, 0), four),
            "negative": encoded(entry([1], -4, 0), four),
            "negative sides": encoded(entry([-1, -1], 0, 4), four),
            "huge sides": encoded(entry([2**40, 2**40], 0, 4), four),
            "shape and bytes disagree": encoded(entry([2], 0, 4), four),
            "shape of fractions": encoded(entry([1.0], 0, 4), four),
            "shape of booleans": encoded(entry([True], 0, 4), four),
            "no such type": encoded(entry([1], 0, 4, "F31"), four),
            "a list as type": encoded(entry([1], 0, 4, ["F32"]), four),
            "three offsets": encoded({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 4]}}, four),
            "no entry": encoded({"a": 7}, four),
            "bytes that are nobody's": encoded(entry([1], 0, 4), four * 2),
            "overlap": encoded({**entry([1], 0, 4), "b": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, four),
        }
        for what, content in hostile.items():
            with self.subTest(what), self.assertRaises(peer.Refusal):
                self.read(content)
        with self.assertRaises(peer.Refusal):
            peer.read_safetensors(self.path + ".not-there")

    def test_configuration(self):
        config = peer.parse_config(YAML.format(**TOKENS))
        self.assertEqual((config.height, config.width, config.patch, config.n), (16, 24, 8, 6))
        self.assertEqual((config.d, config.d_head, config.camera_layers), (32, 16, 3))
        self.assertEqual((config.scene, config.pose, config.canonical, config.focal),
                         ("tokens", "quat", "middle", "centred"))
        for wrong in (dict(TOKENS, scene="cubes"), dict(TOKENS, layers=0), dict(TOKENS, layers="many")):
            with self.assertRaises(peer.Refusal):
                peer.parse_config(YAML.format(**wrong))

    def test_a_case_is_checked_before_it_is_timed(self):
        model = tiny(CODES, views=3)
        images = torch.rand(2, 3, 3, 16, 24)
        with torch.inference_mode():
            renderings, c2w, fxfycxcy = model(images, 1)

        def case(**changed):
            tensors = {"images": images, "c2w": c2w, "fxfycxcy": fxfycxcy, "renderings": renderings, **changed,
                       **{"model." + name: tensor for name, tensor in model.state_dict().items()}}
            header, data = {"__metadata__": {"wildrayzer.config": YAML.format(**CODES),
                                             "wildrayzer.case": '{"inputs": 1}'}}, b""
            for name, tensor in tensors.items():
                blob = tensor.contiguous().numpy().tobytes()
                header[name] = {"dtype": "F32", "shape": list(tensor.shape),
                                "data_offsets": [len(data), len(data) + len(blob)]}
                data += blob
            with open(self.path, "wb") as file:
                file.write(encoded(header, data))
            return [self.path, "--device", "cpu", "--check-only"]

        self.assertEqual(peer.main(case()), 0)
        self.assertEqual(peer.main(case(renderings=renderings + 2e-4)), 1)
        self.assertEqual(peer.main(case(c2w=c2w * 1.001)), 1)
        self.assertEqual(peer.main(case(renderings=renderings * float("nan"))), 1)
        self.assertEqual(peer.main(case(renderings=renderings[:, :1])), 1)
        report = self.path + ".json"
        self.assertEqual(peer.main([*case()[:-1], "--mode", "eager", "--train", "--repeats", "2", "--json", report]), 0)
        with open(report, encoding="utf-8") as file:
            results = json.load(file)["results"]
        self.assertEqual({(r["precision"], r["work"]) for r in results},
                         {(p, w) for p in ("fp32", "bf16") for w in ("inference", "one_view", "train_step")})
        self.assertTrue(all(r["ms_median"] >= r["ms_min"] > 0 for r in results))


class Model(unittest.TestCase):
    def test_flops_are_those_that_pytorch_counts(self):
        for options in ALL:
            with self.subTest(**options):
                model, images = tiny(options), torch.rand(2, 5, 3, 16, 24)
                expected = peer.count_flops(model.config, batch=2, inputs=2, targets=3)
                with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as whole:
                    renderings, c2w, fxfycxcy = model(images, 2)
                self.assertEqual(whole.get_total_flops(), expected["inference"])
                with torch.no_grad():
                    scene = model.encode(model.tokenize(images)[:, :2], c2w[:, :2], fxfycxcy[:, :2])
                with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as view:
                    one = model.render(scene, c2w[:, 3:4], fxfycxcy[:, 3:4])
                self.assertEqual(view.get_total_flops(), expected["one_view"])
                self.assertTrue(torch.allclose(one, renderings[:, 1:2], atol=1e-5))

    def test_backward_is_about_twice_the_forward(self):
        # Three forwards by convention; PyTorch counts a little less: images need no derivative.
        for options in ALL:
            model, images = tiny(options), torch.rand(2, 5, 3, 16, 24)
            with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counted:
                model(images, 2)[0].square().mean().backward()
            said = peer.count_flops(model.config, batch=2, inputs=2, targets=3)["train_step"]
            self.assertLess(abs(counted.get_total_flops() / said - 1), 0.05)

    def test_scenes_and_targets_do_not_see_one_another(self):
        for options in ALL:
            with self.subTest(**options), torch.inference_mode():
                model, images = tiny(options), torch.rand(2, 5, 3, 16, 24)
                both, c2w, fxfycxcy = model(images, 2)
                alone = model(images[1:], 2)[0]
                self.assertTrue(torch.allclose(both[1:], alone, atol=1e-5))
                self.assertFalse(torch.allclose(both[:1], alone, atol=1e-3))
                self.assertEqual(both.shape, (2, 3, 3, 16, 24))
                canonical = model.config.canonical_index(5)
                self.assertTrue(torch.allclose(c2w[:, canonical], torch.eye(4).expand(2, 4, 4)))
                self.assertTrue(torch.allclose(c2w[..., :3, :3] @ c2w[..., :3, :3].mT, torch.eye(3), atol=1e-5))

    def test_norm_of_heads_in_two_passes(self):
        norm, x = peer.RmsNorm(16), torch.randn(3, 7, 2, 16) * 3
        torch.nn.init.normal_(norm.weight, 1.0, 0.1)
        expected = torch.nn.functional.rms_norm(x, (16,), norm.weight, 1e-5)
        self.assertTrue(torch.allclose(norm(x), expected, atol=1e-5))


if __name__ == "__main__":
    unittest.main()
