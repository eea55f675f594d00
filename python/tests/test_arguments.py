"""What is wrong with an argument is said by its name, by one exception of the right kind, before any work."""

import pathlib
import tempfile
import unittest

import numpy as np

import wildrayzer
from common import pictures, tiny_model


class Arguments(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = tiny_model()
        cls.photos = pictures()
        cls.scene = cls.model.reconstruct(cls.photos)

    def refuses(self, kind, pattern, call, *arguments, **named):
        with self.assertRaisesRegex(kind, pattern) as caught:
            call(*arguments, **named)
        self.assertNotIn("\n", str(caught.exception), "one line")

    def test_errors_are_of_pythons_kinds_too(self):
        self.assertTrue(issubclass(wildrayzer.UsageError, (wildrayzer.Error, ValueError)))
        self.assertTrue(issubclass(wildrayzer.UsageError, ValueError))
        self.assertTrue(issubclass(wildrayzer.FileError, wildrayzer.Error))
        self.assertTrue(issubclass(wildrayzer.FileError, OSError))
        self.assertEqual(wildrayzer.FileError.__module__, "wildrayzer")

    def test_photos(self):
        reconstruct, good = self.model.reconstruct, self.photos[0]
        self.refuses(wildrayzer.UsageError, "^photos: at least 2 .* 1 given", reconstruct, [good])
        self.refuses(wildrayzer.UsageError, "^photos: at least 2 .* 0 given", reconstruct, [])
        self.refuses(TypeError, "^photos: expected a list .* 'holiday'", reconstruct, "holiday")
        self.refuses(TypeError, "^photos: expected a list .* int", reconstruct, 3)
        self.refuses(wildrayzer.UsageError, r"^photos: .*one array of shape \(60, 80, 3\)", reconstruct, good)
        self.refuses(wildrayzer.UsageError, r"^photos\[1\]: .*uint8.*float32", reconstruct, [good, good.astype("f4")])
        self.refuses(wildrayzer.UsageError, r"^photos\[1\]: .*\(60, 80\)", reconstruct, [good, good[..., 0]])
        self.refuses(wildrayzer.UsageError, r"^photos\[0\]: .*\(60, 80, 4\)", reconstruct, [good[..., [0, 1, 2, 0]], good])
        self.refuses(wildrayzer.UsageError, r"^photos\[0\]: .*\(0, 80, 3\)", reconstruct, [good[:0], good])
        self.refuses(TypeError, r"^photos\[1\]: .*NoneType", reconstruct, [good, None])
        self.refuses(TypeError, r"^photos\[1\]: .*list", reconstruct, [good, [[1]]])
        self.refuses(wildrayzer.UsageError, "^held_out: leaves 1 of 3", reconstruct, self.photos, held_out=2)
        self.refuses(wildrayzer.UsageError, "^held_out: expected 0 to 3, got -1", reconstruct, self.photos, held_out=-1)
        self.refuses(TypeError, "^held_out: .*float", reconstruct, self.photos, held_out=1.0)
        self.refuses(wildrayzer.UsageError, "^detail: expected 1 to 8, got 0", reconstruct, self.photos, detail=0)
        self.refuses(TypeError, "^progress: .*int", reconstruct, self.photos, progress=1)

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            missing, broken = pathlib.Path(folder) / "missing.jpg", pathlib.Path(folder) / "broken.png"
            broken.write_bytes(b"\x89PNG\r\n\x1a\n")
            for path in (missing, broken):
                with self.assertRaisesRegex(wildrayzer.FileError, f"^{path}: ") as caught:
                    self.model.reconstruct([self.photos[0], path])
                self.assertEqual(caught.exception.path, str(path))
                self.refuses(OSError, f"^{path}: ", wildrayzer.read_image, path)
            self.refuses(wildrayzer.FileError, "missing.pt", wildrayzer.Reconstructor, pathlib.Path(folder) / "missing.pt")
        self.refuses(TypeError, "^path: .*int", wildrayzer.read_image, 7)

    def test_masks(self):
        def reconstruct(masks, **named):
            self.model.reconstruct(self.photos, masks=masks, **named)

        good = np.zeros((60, 80), np.float32)
        wrong = np.full((60, 80), np.nan, np.float32)
        self.refuses(wildrayzer.UsageError, r"^masks: expected one a photo \(3; .*got 2", reconstruct, [good, good])
        self.refuses(TypeError, "^masks: .*int", reconstruct, 3)
        self.refuses(TypeError, r"^masks\[1\]: .*str", reconstruct, [good, "mask.png", good])
        self.refuses(wildrayzer.UsageError, r"^masks\[2\]: .*uint8", reconstruct, [good, good, good.astype(np.uint8)])
        self.refuses(wildrayzer.UsageError, r"^masks\[0\]: .*\(60, 80, 3\)", reconstruct, [self.photos[0] / 255.0, good, good])
        self.refuses(wildrayzer.UsageError, r"^masks\[0\]: .*0 to 1", reconstruct, [good + 2, good, good])
        self.refuses(wildrayzer.UsageError, r"^masks\[0\]: .*NaN", reconstruct, [wrong, good, good])
        self.refuses(wildrayzer.UsageError, r"^masks\[1\]: .*height 80 .*does not fit", reconstruct, [good, good.T, good])
        self.refuses(wildrayzer.UsageError, "^masks_mode: .*'xor'", reconstruct, None, masks_mode="xor")

    def test_cameras(self):
        render, pose, lens = self.scene.render, self.scene.c2w[0], self.scene.intrinsics[0]

        def changed(matrix, row, column, value):
            copy = matrix.copy()
            copy[row, column] = value
            return copy

        self.refuses(wildrayzer.UsageError, "^c2w: .*NaN", render, changed(pose, 0, 3, np.nan))
        self.refuses(wildrayzer.UsageError, "^c2w: .*infinity", render, changed(pose, 0, 0, np.inf))
        self.refuses(wildrayzer.UsageError, "^c2w: .*rotations", render, 2 * pose + changed(0 * pose, 3, 3, -1))
        self.refuses(wildrayzer.UsageError, "^c2w: .*rotations", render, pose @ np.diag([1, 1, -1, 1]))
        self.refuses(wildrayzer.UsageError, "^c2w: .*last row", render, changed(pose, 3, 0, 1))
        self.refuses(wildrayzer.UsageError, r"^c2w: .*\(3, 4\)", render, pose[:3])
        self.refuses(wildrayzer.UsageError, "^c2w: expected numbers", render, "here")
        self.refuses(wildrayzer.UsageError, "^intrinsics: .*NaN", render, pose, changed(lens, 0, 0, np.nan))
        self.refuses(wildrayzer.UsageError, "^intrinsics: .*above 0", render, pose, changed(lens, 1, 1, -1))
        self.refuses(wildrayzer.UsageError, "^intrinsics: .*fx, 0, cx", render, pose, changed(lens, 0, 1, 0.5))
        self.refuses(wildrayzer.UsageError, r"^intrinsics: .*\(4, 4\)", render, pose, pose)
        self.refuses(wildrayzer.UsageError, r"^intrinsics: .*\(1\), got 2", render, pose, [lens, lens])
        self.refuses(wildrayzer.UsageError, "^frames: expected 1 to", self.scene.interpolate, 0)
        self.refuses(wildrayzer.UsageError, "^degrees: .*got 400", self.scene.orbit, 3, degrees=400)
        self.refuses(wildrayzer.UsageError, "^degrees: .*got nan", self.scene.orbit, 3, degrees=float("nan"))
        self.refuses(TypeError, "Reconstructor.reconstruct", wildrayzer.Scene, None)

    def test_models(self):
        make = wildrayzer.Reconstructor
        self.refuses(wildrayzer.UsageError, "^init: expected one of 'random', got 'zeros'", make, init="zeros")
        self.refuses(wildrayzer.UsageError, "^init: excludes model", make, "model.pt", init="random")
        self.refuses(wildrayzer.UsageError, "^model: is needed with dino", make, dino="dinov3")
        self.refuses(wildrayzer.UsageError, "^dino: .*motion=False", make, "model.pt", dino="dinov3", motion=False)
        self.refuses(wildrayzer.UsageError, "^precision: .*'fp16'", make, precision="fp16")
        self.refuses(wildrayzer.UsageError, "^frame: .*'half'", make, frame="half")
        self.refuses(wildrayzer.UsageError, "tpu", make, init="random", device="tpu")
        self.refuses(wildrayzer.UsageError, "^threads: expected 1 to 1024, got 0", make, init="random", threads=0)
        self.refuses(wildrayzer.UsageError, "^seed: ", make, init="random", seed=-1)
        self.refuses(TypeError, "^overrides: ", make, init="random", overrides="a=b")
        self.refuses(TypeError, "^model: .*int", make, 7)


if __name__ == "__main__":
    unittest.main()
