"""Two to four photos of a place with movers in, the clean place out.

    import wildrayzer
    reconstructor = wildrayzer.Reconstructor()
    scene = reconstructor.reconstruct(["1.jpg", "2.jpg", "3.jpg"])
    clean = scene.clean()                         # the photos without what moves
    views = scene.render(*scene.interpolate(24))  # (24, height, width, 3) uint8

Pictures are uint8 sRGB arrays of shape (height, width, 3). Cameras are camera-to-world matrices with OpenCV's
axes (x right, y down, z forward) and 3 x 3 matrices of intrinsics in pixels. Arrays that come out own their
memory; what goes in is copied. Long calls give the GIL away, end at Ctrl-C with KeyboardInterrupt, and warn
through Python's ``warnings`` of photos that make poor results.
"""

import os
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _arguments, _core
from ._errors import Error, FileError, UsageError

__all__ = [
    "CameraPath",
    "CleanPhoto",
    "Error",
    "FileError",
    "Reconstructor",
    "Scene",
    "UsageError",
    "__version__",
    "read_image",
]
__version__: str = _core.version

Path = Union[str, "os.PathLike[str]"]
Photo = Union[Path, NDArray[np.uint8]]
Progress = Callable[[str, int], object]


class CameraPath(NamedTuple):
    """Cameras in a row, in the order in which `Scene.render` takes them."""

    c2w: NDArray[np.float64]  # (n, 4, 4), camera-to-world
    intrinsics: NDArray[np.float64]  # (n, 3, 3), pixels of a rendered view


class CleanPhoto(NamedTuple):
    """A photo without what moves, in its own size."""

    image: NDArray[np.uint8]  # (height, width, 3); what stood still is the photo's own bit for bit
    source: NDArray[np.uint8]  # (height, width): 0 own pixel, 1 + k of input k, 255 rendered
    own: float  # share of own pixels in [0, 1]; the three sum to 1
    photos: float  # share of pixels from other photos
    rendered: float  # share of rendered pixels


def read_image(path: Path) -> NDArray[np.uint8]:
    """A picture as the program reads it: upright, sRGB, (height, width, 3) uint8.

    JPEG, PNG, WebP, HEIC, AVIF, BMP and TIFF; raises FileError.
    """
    return _core.read_image(_arguments.path(path, "path"))


class Scene:
    """A place, encoded once; any number of cameras may be rendered. `Reconstructor.reconstruct` makes it."""

    def __init__(self, core: _core.Scene) -> None:
        if not isinstance(core, _core.Scene):
            raise TypeError("a Scene is made by Reconstructor.reconstruct")
        self._core = core

    @property
    def num_inputs(self) -> int:
        """Photos that the scene is made of; held-out ones come after them."""
        return self._core.num_inputs

    @property
    def width(self) -> int:
        """Of a rendered view, in pixels."""
        return self._core.width

    @property
    def height(self) -> int:
        """Of a rendered view, in pixels."""
        return self._core.height

    @property
    def detail(self) -> int:
        """How many times the model's pixels a side a rendered view has."""
        return self._core.detail

    @property
    def c2w(self) -> NDArray[np.float64]:
        """The photos' cameras, (photos, 4, 4) camera-to-world; lengths in the model's own unit."""
        return self._core.cameras()[0]

    @property
    def intrinsics(self) -> NDArray[np.float64]:
        """(photos, 3, 3) in pixels of a rendered view: what `render` takes."""
        return _arguments.matrices(self._core.cameras()[1], self.width, self.height)

    @property
    def photo_intrinsics(self) -> NDArray[np.float64]:
        """(photos, 3, 3) in pixels of each (upright) photo."""
        return _arguments.matrices(self._core.photo_lenses())

    @property
    def masks(self) -> List[NDArray[np.float32]]:
        """Probability in [0, 1] that a pixel moves, (height, width) of each photo, in steps of 1/255.

        0 where the model did not look. Empty when nobody tells: no motion estimator and no masks given.
        """
        return self._core.masks()

    @property
    def model_masks(self) -> List[NDArray[np.float32]]:
        """The same in the model's frame, as the model told it."""
        return self._core.model_masks()

    @property
    def points(self) -> NDArray[np.float32]:
        """Points of the place in the world, (n, 3); n is 0 where the model tells no depths."""
        return self._core.points()

    def interpolate(self, frames: int = 24, *, loop: bool = False) -> CameraPath:
        """A smooth path through the inputs' cameras; `loop` leads back to the first."""
        return self._path("interpolate", frames, loop=loop)

    def orbit(self, frames: int = 24, *, degrees: float = 30.0) -> CameraPath:
        """A circle about what the cameras look at; `degrees` is its whole angle, -360 to 360 (negative: to the left)."""
        return self._path("orbit", frames, degrees=_arguments.sweep(degrees))

    def dolly(self, frames: int = 24) -> CameraPath:
        """Towards what the cameras look at."""
        return self._path("dolly", frames)

    def render(
        self,
        c2w: ArrayLike,
        intrinsics: Optional[ArrayLike] = None,
        *,
        quick: bool = False,
        progress: Optional[Progress] = None,
    ) -> NDArray[np.uint8]:
        """Views of the place without what moves.

        c2w: (4, 4) or (n, 4, 4), camera-to-world; rotations orthonormal to 1e-3.
        intrinsics: (3, 3) or (n, 3, 3) in pixels of a rendered view, without skew; None: the first photo's.
        quick: the model's own pixels, without the detail that photos have beyond them.
        Returns (height, width, 3) uint8 for one matrix, (n, height, width, 3) for several.
        """
        poses, single = _arguments.poses(c2w)
        if intrinsics is None:
            lenses = np.repeat(self._core.cameras()[1][:1], len(poses), axis=0)
        else:
            lenses = _arguments.lenses(intrinsics, len(poses), self.width, self.height)
        views = self._core.render(poses, lenses, bool(quick), _arguments.callback(progress))
        if single:
            return views[0]
        if not views:
            small = self.detail if quick else 1
            return np.empty((0, self.height // small, self.width // small, 3), np.uint8)
        return np.stack(views)

    def clean(self, *, progress: Optional[Progress] = None) -> List[CleanPhoto]:
        """The photos without what moves, in their own size: from other photos, or rendered where none shows it."""
        return [CleanPhoto(*photo) for photo in self._core.clean(_arguments.callback(progress))]

    def __repr__(self) -> str:
        return f"<wildrayzer.Scene of {len(self.c2w)} photos, views of {self.width} x {self.height} pixels>"

    def _path(self, kind: str, frames: int, *, loop: bool = False, degrees: float = 30.0) -> CameraPath:
        frames = _arguments.whole(frames, "frames", 1, 100000)
        c2w, lenses = self._core.path(kind, frames, bool(loop), degrees)
        return CameraPath(c2w, _arguments.matrices(lenses, self.width, self.height))


class Reconstructor:
    """A model, loaded; makes scenes of photos. Calls from several threads take turns.

    model: a checkpoint (.pt, .pth, .safetensors or a folder of safetensors); None: the small model that comes
        along.
    config: the release's YAML; None: sizes are read off the checkpoint.
    dino: DINOv3, a Hugging Face folder or Meta's .pth, for models that need it.
    init: "random" does without a checkpoint; the pictures then mean nothing.
    motion: False: nothing is masked, DINOv3 is not needed.
    precision: "auto", "fp32", "bf16" or "int8", of the matrix products.
    frame: "auto", "crop" or "whole": what part of a photo the model sees.
    device: "auto", "cpu", "cuda" or "cuda:N".
    seed: of everything random.
    threads: None: one a core that this process may use. Holds for all models of the process.
    overrides: of the configuration, "model.motion.threshold=0.2" for instance.
    progress: called with a stage and the number of its parts (0: unknown) when it begins, then with "" and 0
        for every part that is done; what it raises ends the work.

    Raises FileError, UsageError or another Error.
    """

    def __init__(
        self,
        model: Optional[Path] = None,
        *,
        config: Optional[Path] = None,
        dino: Optional[Path] = None,
        init: Optional[str] = None,
        motion: bool = True,
        precision: str = "auto",
        frame: str = "auto",
        device: str = "auto",
        seed: int = 0,
        threads: Optional[int] = None,
        overrides: Sequence[str] = (),
        progress: Optional[Progress] = None,
    ) -> None:
        weights = _arguments.path(model, "model")
        texts = {"config": _arguments.path(config, "config"), "dino": _arguments.path(dino, "dino")}
        if init is not None:
            _arguments.choice(init, "init", ["random"])
        if weights and init:
            raise UsageError("init: excludes model")
        if not motion and texts["dino"]:
            raise UsageError("dino: is not needed with motion=False; leave one of them out")
        if not weights and not init:
            weights = _default_model(texts)
        if isinstance(overrides, str):
            raise TypeError("overrides: expected a list of texts, got one")
        self._core = _core.load(
            weights,
            texts["config"],
            texts["dino"],
            [str(text) for text in overrides],
            bool(motion),
            _arguments.choice(precision, "precision", ["auto", "fp32", "bf16", "int8"]),
            _arguments.choice(frame, "frame", ["auto", "crop", "whole"]),
            str(device),
            _arguments.whole(seed, "seed", 0, 2**64 - 1),
            0 if threads is None else _arguments.whole(threads, "threads", 1, 1024),
            _arguments.callback(progress),
        )

    def reconstruct(
        self,
        photos: Sequence[Photo],
        *,
        held_out: int = 0,
        masks: Optional[Sequence[Optional[NDArray[Any]]]] = None,
        masks_mode: str = "replace",
        detail: int = 4,
        progress: Optional[Progress] = None,
    ) -> Scene:
        """Estimates cameras and motion of all photos and encodes the place without what moves.

        photos: paths of pictures, or uint8 sRGB arrays of shape (height, width, 3), upright; two at least, two
            to four is what the method was made for. They may differ in size.
        held_out: so many of the last photos get cameras and masks but are not looked at for the scene.
        masks: one a photo, of shape (height, width) or another resolution of it: probability in [0, 1] that a
            pixel moves, floating-point or bool; None for the model's own.
        masks_mode: "replace": given masks take the place of the model's; "add": what either says moves does.
        detail: a view has up to so many times the model's pixels a side, where photos have them and the model
            copies from photos; 1 to 8.
        progress: see the class.

        The scene keeps the photos, for `Scene.clean`.
        """
        given = _arguments.photos(photos, 2)
        held_out = _arguments.whole(held_out, "held_out", 0, len(given))
        if len(given) - held_out < 2:
            raise UsageError(f"held_out: leaves {len(given) - held_out} of {len(given)} photos; two are needed")
        return Scene(
            self._core.reconstruct(
                given,
                held_out,
                _arguments.masks(masks, len(given)),
                _arguments.choice(masks_mode, "masks_mode", ["replace", "add"]) == "add",
                _arguments.whole(detail, "detail", 1, 8),
                _arguments.callback(progress),
            )
        )

    def motion_masks(
        self, photos: Sequence[Photo], *, progress: Optional[Progress] = None
    ) -> List[NDArray[np.float32]]:
        """Motion masks alone, as `Scene.masks`, of two photos or more that are looked at together."""
        return self._core.estimate_motion(_arguments.photos(photos, 2), _arguments.callback(progress))

    @property
    def frame_width(self) -> int:
        """Of the model's own frame, in pixels."""
        return self._core.frame_width

    @property
    def frame_height(self) -> int:
        """Of the model's own frame, in pixels."""
        return self._core.frame_height

    @property
    def has_motion(self) -> bool:
        """Whether it estimates masks."""
        return self._core.has_motion

    @property
    def motion_threshold(self) -> float:
        """Patches that move with more than this probability are left out of the scene."""
        return self._core.motion_threshold

    @property
    def precision(self) -> str:
        """ "fp32" or "bf16"."""
        return self._core.precision

    @property
    def device(self) -> str:
        """For instance "cpu" or "cuda:0"."""
        return self._core.device

    @property
    def num_parameters(self) -> int:
        """Without DINOv3."""
        return self._core.num_parameters

    @property
    def dino_name(self) -> str:
        """What DINOv3 was loaded; empty: none."""
        return self._core.dino_name

    @property
    def config_yaml(self) -> str:
        """The complete configuration in effect."""
        return self._core.config_yaml

    def weights_hash(self) -> str:
        """SHA-256 of the weights, the same for every container; reads them all."""
        return self._core.weights_hash()

    def __repr__(self) -> str:
        return f"<wildrayzer.Reconstructor of {self.num_parameters} parameters, {self.precision} on {self.device}>"


def _default_model(texts: "dict[str, str]") -> str:
    for name, text in texts.items():
        if text:
            raise UsageError(f"model: is needed with {name}, or init='random'")
    found = _core.default_model(os.path.dirname(os.path.realpath(__file__)))
    if found is None:
        raise UsageError("model: the small model is missing from this copy of the package; name a checkpoint")
    return found
