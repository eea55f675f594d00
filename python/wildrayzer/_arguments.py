"""Checks of what users give, so that what is wrong is said by the argument's name and before any work."""

import os
from typing import Any, List, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from ._errors import UsageError

Photo = Union[str, "os.PathLike[str]", NDArray[np.uint8]]
Doubles = NDArray[np.float64]


def path(value: Any, name: str) -> str:
    """As text; None is the empty one."""
    if value is None:
        return ""
    try:
        text = os.fspath(value)
    except TypeError:
        raise TypeError(f"{name}: expected a path, got {type(value).__name__}") from None
    return os.fsdecode(text)


def choice(value: Any, name: str, choices: Sequence[str]) -> str:
    if value not in choices:
        raise UsageError(f"{name}: expected one of {', '.join(map(repr, choices))}, got {value!r}")
    return str(value)


def whole(value: Any, name: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name}: expected a whole number, got {type(value).__name__}")
    number = int(value.__index__())
    if not least <= number <= most:
        raise UsageError(f"{name}: expected {least} to {most}, got {number}")
    return number


def sweep(value: Any) -> float:
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"degrees: expected a number, got {type(value).__name__}")
    degrees = float(value)
    if not 0 < abs(degrees) <= 360:
        raise UsageError(f"degrees: expected -360 to 360 and not 0, got {degrees}")
    return degrees


def callback(value: Any) -> Any:
    if value is not None and not callable(value):
        raise TypeError(f"progress: expected a function of a stage and a number, got {type(value).__name__}")
    return value


def photos(given: Any, least: int) -> List[Union[str, NDArray[np.uint8]]]:
    if isinstance(given, (str, bytes, os.PathLike)):
        raise TypeError(f"photos: expected a list of paths or arrays, got the one path {os.fsdecode(given)!r}")
    try:
        items = list(given)
    except TypeError:
        raise TypeError(f"photos: expected a list of paths or arrays, got {type(given).__name__}") from None
    if isinstance(given, np.ndarray) and given.ndim != 4:
        raise UsageError(f"photos: expected a list of pictures, got one array of shape {given.shape}")
    if len(items) < least:
        raise UsageError(f"photos: at least {least} of the place are needed, {len(items)} given")
    return [_photo(item, f"photos[{index}]") for index, item in enumerate(items)]


def _photo(item: Any, name: str) -> Union[str, NDArray[np.uint8]]:
    if not isinstance(item, np.ndarray):
        return path(item, name) if item is not None else _refuse(item, name)
    if item.dtype != np.uint8:
        raise UsageError(f"{name}: expected uint8 sRGB values from 0 to 255, got {item.dtype}")
    if item.ndim != 3 or item.shape[2] != 3 or 0 in item.shape:
        raise UsageError(f"{name}: expected shape (height, width, 3), got {item.shape}")
    return item


def _refuse(item: Any, name: str) -> str:
    raise TypeError(f"{name}: expected a path or an array, got {type(item).__name__}")


def masks(given: Any, photo_count: int) -> List[Optional[NDArray[np.float32]]]:
    """Shapes are compared with those of the photos later, when these are read."""
    if given is None:
        return []
    try:
        items = list(given)
    except TypeError:
        raise TypeError(f"masks: expected a list of arrays, got {type(given).__name__}") from None
    if len(items) != photo_count:
        raise UsageError(f"masks: expected one a photo ({photo_count}; None for the model's own), got {len(items)}")
    return [None if item is None else _mask(item, f"masks[{index}]") for index, item in enumerate(items)]


def _mask(item: Any, name: str) -> NDArray[np.float32]:
    if not isinstance(item, np.ndarray):
        raise TypeError(f"{name}: expected an array or None, got {type(item).__name__}")
    if item.dtype != np.bool_ and not np.issubdtype(item.dtype, np.floating):
        raise UsageError(
            f"{name}: expected probabilities as floating-point or bool values, got {item.dtype}"
            " (for labels give mask > 0, for levels mask / 255)"
        )
    if item.ndim != 2 or 0 in item.shape:
        raise UsageError(f"{name}: expected shape (height, width), got {item.shape}")
    values = item.astype(np.float32)
    if not np.all((values >= 0) & (values <= 1)):  # false for NaN as well
        raise UsageError(f"{name}: expected probabilities from 0 to 1, got others or NaN")
    return values


def _numbers(given: Any, name: str, side: int) -> Doubles:
    try:
        values: Doubles = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise UsageError(f"{name}: expected numbers of shape ({side}, {side}) or (n, {side}, {side})") from None
    if values.ndim not in (2, 3) or values.shape[-2:] != (side, side):
        raise UsageError(f"{name}: expected shape ({side}, {side}) or (n, {side}, {side}), got {values.shape}")
    if not np.all(np.isfinite(values)):
        raise UsageError(f"{name}: expected finite numbers, got NaN or infinity")
    return values


def poses(given: Any) -> Tuple[Doubles, bool]:
    """(n, 4, 4), and whether it was a single one."""
    values = _numbers(given, "c2w", 4)
    stack = values.reshape(-1, 4, 4)
    if not np.allclose(stack[:, 3], [0, 0, 0, 1], atol=1e-6):
        raise UsageError("c2w: expected camera-to-world matrices whose last row is 0 0 0 1")
    rotations = stack[:, :3, :3]
    error = np.abs(np.swapaxes(rotations, 1, 2) @ rotations - np.eye(3))
    if error.size and (error.max() > 1e-3 or np.linalg.det(rotations).min() < 0):
        raise UsageError("c2w: expected rotations in the upper left (orthonormal, determinant 1), got others")
    return stack, values.ndim == 2


def lenses(given: Any, count: int, width: int, height: int) -> Doubles:
    """(n, 4) of fx fy cx cy in units of the picture's width and height, of matrices in pixels."""
    values = _numbers(given, "intrinsics", 3)
    stack = values.reshape(-1, 3, 3)
    if values.ndim == 2:
        stack = np.broadcast_to(stack, (count, 3, 3))
    if len(stack) != count:
        raise UsageError(f"intrinsics: expected one for all or one a camera ({count}), got {len(stack)}")
    if np.any(stack[:, [0, 1, 2, 2], [1, 0, 0, 1]] != 0) or np.any(stack[:, 2, 2] != 1):
        raise UsageError("intrinsics: expected [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels")
    if np.any(stack[:, 0, 0] <= 0) or np.any(stack[:, 1, 1] <= 0):
        raise UsageError("intrinsics: expected focal lengths above 0")
    flat = stack[:, [0, 1, 0, 1], [0, 1, 2, 2]]
    return np.asarray(flat / [width, height, width, height], dtype=np.float64)


def matrices(flat: Doubles, width: float = 1, height: float = 1) -> Doubles:
    """(n, 3, 3) in pixels of (n, 4); the inverse of `lenses`."""
    result = np.zeros((len(flat), 3, 3))
    result[:, [0, 1, 0, 1], [0, 1, 2, 2]] = flat * [width, height, width, height]
    result[:, 2, 2] = 1
    return result
