"""Arrays in and out, and the same results as the command `wildrayzer render`."""

import gc
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import warnings

import numpy as np

import wildrayzer
from common import HALL, PROGRAM, REPOSITORY, pictures, tiny_model


class Arrays(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = tiny_model(seed=3)
        cls.photos = pictures()
        cls.scene = cls.model.reconstruct(cls.photos)

    def test_shapes_and_types(self):
        scene = self.scene
        self.assertEqual((scene.num_inputs, scene.width, scene.height, scene.detail), (3, 64, 64, 1))
        self.assertEqual((scene.c2w.shape, scene.c2w.dtype), ((3, 4, 4), np.float64))
        self.assertEqual((scene.intrinsics.shape, scene.intrinsics.dtype), ((3, 3, 3), np.float64))
        np.testing.assert_allclose(scene.intrinsics[:, 2], [[0, 0, 1]] * 3)
        np.testing.assert_allclose(scene.intrinsics[:, 0, 2], 32)  # the middle of the picture
        np.testing.assert_allclose(scene.photo_intrinsics[:, :2, 2], [[40, 30]] * 3)
        self.assertEqual([mask.shape for mask in scene.masks], [(60, 80)] * 3)
        self.assertEqual([mask.shape for mask in scene.model_masks], [(64, 64)] * 3)
        for mask in scene.masks + scene.model_masks:
            self.assertEqual(mask.dtype, np.float32)
            self.assertTrue(0 <= mask.min() and mask.max() <= 1)
        self.assertEqual((scene.points.shape[1:], scene.points.dtype), ((3,), np.float32))
        path = scene.interpolate(5)
        self.assertEqual((path.c2w.shape, path.intrinsics.shape), ((5, 4, 4), (5, 3, 3)))
        for path in (scene.interpolate(2, loop=True), scene.orbit(2, degrees=20), scene.dolly(2)):
            views = scene.render(*path)
            self.assertEqual((views.shape, views.dtype), ((2, 64, 64, 3), np.uint8))
        one = scene.render(path.c2w[1], path.intrinsics[1])
        np.testing.assert_array_equal(one, views[1])
        self.assertEqual(scene.render(np.empty((0, 4, 4))).shape, (0, 64, 64, 3))
        np.testing.assert_array_equal(scene.render(scene.c2w[0]), scene.render(scene.c2w[0], scene.intrinsics[0]))
        np.testing.assert_array_equal(scene.render(scene.c2w.tolist())[0], scene.render(scene.c2w[0]))
        for clean, photo in zip(scene.clean(), self.photos):
            self.assertEqual((clean.image.shape, clean.source.shape), (photo.shape, photo.shape[:2]))
            self.assertAlmostEqual(clean.own + clean.photos + clean.rendered, 1)
            own = clean.source == 0
            np.testing.assert_array_equal(clean.image[own], photo[own])
        self.assertIn("3 photos", repr(scene))
        self.assertIn("fp32 on cpu", repr(self.model))

    def test_held_out_photos_do_not_change_the_scene(self):
        first = self.model.reconstruct(self.photos, held_out=1)
        self.assertEqual((first.num_inputs, len(first.c2w), len(first.masks)), (2, 3, 3))

    def test_any_layout_of_memory(self):
        wide = np.zeros((60, 160, 4), np.uint8)
        wide[:, ::2, :3] = self.photos[0]
        strided = [wide[:, ::2, :3], np.asfortranarray(self.photos[1]), self.photos[2]]
        self.assertFalse(strided[0].flags.c_contiguous)
        scene = self.model.reconstruct(strided)
        np.testing.assert_array_equal(scene.render(scene.c2w), self.scene.render(self.scene.c2w))
        stacked = self.model.reconstruct(np.stack(self.photos))
        np.testing.assert_array_equal(stacked.c2w, self.scene.c2w)

    def test_arrays_own_their_memory(self):
        photos = pictures()
        model = tiny_model(seed=3)
        scene = model.reconstruct(photos)
        for photo in photos:
            photo[:] = 0  # was copied
        held = [scene.c2w, scene.points, *scene.masks, *scene.model_masks, scene.render(scene.c2w[0]), scene.clean()[0].image]
        copies = [array.copy() for array in held]
        scene.c2w[:] = 7  # was a copy
        np.testing.assert_array_equal(scene.c2w, copies[0])
        np.testing.assert_array_equal(scene.c2w, self.scene.c2w)
        del model
        gc.collect()
        np.testing.assert_array_equal(scene.render(held[0][0]), copies[-2])  # the scene keeps its model
        del scene
        gc.collect()
        noise = [np.full((400, 400), 255, np.uint8) for _ in range(50)]  # would take freed memory
        for array, copy in zip(held, copies):
            np.testing.assert_array_equal(array, copy)
        self.assertEqual(len(noise), 50)

    def test_given_masks(self):
        moving = np.zeros((60, 80), bool)
        moving[:, :40] = True
        scene = self.model.reconstruct(self.photos, masks=[moving, None, np.zeros((30, 40))])
        self.assertGreater(scene.masks[0][:, 10:30].min(), 0.9)
        self.assertLess(scene.masks[0][:, 50:70].max(), 0.1)
        self.assertEqual(scene.masks[2].max(), 0)
        np.testing.assert_array_equal(scene.masks[1], self.scene.masks[1])
        added = self.model.reconstruct(self.photos, masks=[moving, None, None], masks_mode="add")
        self.assertTrue(np.all(added.masks[0] >= self.scene.masks[0]))
        self.assertGreater(added.masks[0][:, 10:30].min(), 0.9)
        again = self.model.reconstruct(self.photos, masks=self.scene.masks)
        for mask, given in zip(again.masks, self.scene.masks):
            self.assertLess(np.abs(mask - given).mean(), 0.05)

    def test_masks_alone(self):
        for mask, photo in zip(self.model.motion_masks(self.photos), self.photos):
            self.assertEqual((mask.shape, mask.dtype), (photo.shape[:2], np.float32))

    def test_poor_photos_are_warned_of_at_the_callers_line(self):
        with self.assertWarnsRegex(UserWarning, "photo 2: is the same picture as photo 1") as caught:
            self.model.reconstruct([self.photos[0], self.photos[0].copy(), self.photos[1]])
        self.assertTrue(caught.filename.endswith("test_reconstruct.py"), caught.filename)

    def test_progress_tells_stages_and_may_end_the_work(self):
        told = []
        self.model.reconstruct(self.photos, progress=lambda stage, parts: told.append((stage, parts)))
        stages = [stage for stage, _ in told if stage]
        self.assertEqual(stages[:2], ["reading photos", "estimating cameras"])
        self.assertIn("encoding the scene", stages)

        def stop(stage, parts):
            if stage == "encoding the scene":
                raise KeyError("enough")

        with self.assertRaisesRegex(KeyError, "enough"):
            self.model.reconstruct(self.photos, progress=stop)
        self.assertEqual(self.model.reconstruct(self.photos).num_inputs, 3)  # it is as it was

    def test_a_progress_callback_may_render(self):
        seen = []
        self.scene.render(self.scene.c2w[0], progress=lambda *_: seen.append(self.scene.render(self.scene.c2w[1])))
        np.testing.assert_array_equal(seen[0], self.scene.render(self.scene.c2w[1]))


@unittest.skipUnless((REPOSITORY / "models/small.safetensors").exists(), "models/small.safetensors is missing")
class SmallModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = wildrayzer.Reconstructor()

    def test_equals_the_command(self):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "out"
            command = [PROGRAM, "-q", "render", *map(str, HALL), "--out", str(out), "--frames", "5", "--targets", "1", "--inputs", "2"]
            subprocess.run(command, check=True)
            photos = [HALL[0], wildrayzer.read_image(HALL[2]), os.fspath(HALL[1])]  # inputs first; a path or an array
            scene = self.model.reconstruct(photos, held_out=1)
            views = scene.render(*scene.interpolate(5))
            for index, view in enumerate(views):
                np.testing.assert_array_equal(view, wildrayzer.read_image(out / f"views/frame_{index:03}.png"))
            photo_views = scene.render(scene.c2w, scene.intrinsics)
            np.testing.assert_array_equal(photo_views[2], wildrayzer.read_image(out / "views/target_2.png"))
            told = json.loads((out / "metadata.json").read_text())
            for name, clean, mask in zip("132", scene.clean(), scene.masks):
                np.testing.assert_array_equal(clean.image, wildrayzer.read_image(out / f"clean/{name}.png"))
                levels = wildrayzer.read_image(out / f"masks/{name}.png")[..., 0]
                np.testing.assert_array_equal(np.rint(mask * 255).astype(np.uint8), levels)
            self.assertEqual(told["model"]["weights_sha256"], self.model.weights_hash())
            self.assertEqual(told["program"], "wildrayzer " + wildrayzer.__version__)

    def test_other_threads_run_meanwhile(self):
        ticks, done = [], threading.Event()

        def tick():
            while not done.is_set():
                ticks.append(time.monotonic())
                time.sleep(0.002)

        ticker = threading.Thread(target=tick)
        ticker.start()
        start = time.monotonic()
        self.model.reconstruct(HALL)
        end = time.monotonic()
        done.set()
        ticker.join()
        inside = [start, *(tick for tick in ticks if start < tick < end), end]
        longest = max(b - a for a, b in zip(inside, inside[1:]))
        self.assertLess(longest, 0.5 * (end - start), "the GIL was held")

    def test_threads_take_turns(self):
        expected = self.model.reconstruct(HALL)
        results = [None, None]

        def work(index):
            results[index] = self.model.reconstruct(HALL)

        threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for result in results:
            np.testing.assert_allclose(result.c2w, expected.c2w, atol=1e-4)

    def test_control_c_ends_long_work(self):
        scene = self.model.reconstruct(HALL)
        path = scene.interpolate(200)
        whole = None
        killer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        killer.start()
        start = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            whole = scene.render(*path)
        self.assertIsNone(whole)
        self.assertLess(time.monotonic() - start, 5)
        self.assertEqual(scene.render(path.c2w[0]).shape, (scene.height, scene.width, 3))  # it goes on as before


class Warned(unittest.TestCase):
    def test_a_warning_that_is_an_error_is_raised(self):
        one, two, _ = pictures()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with self.assertRaises(UserWarning):
                tiny_model().reconstruct([one, one.copy(), two])


if __name__ == "__main__":
    unittest.main()
