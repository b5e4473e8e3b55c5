"""A photograph as network input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.config import Input
from bridge.errors import ConfigurationError

__all__ = ["load_photo"]


def load_photo(source: Input, relative_to: Path) -> NDArray[np.float32]:
    """Return float32[1, 3, height, width], each channel with mean 0 and standard deviation 1.

    Raises:
        ConfigurationError: for a file that is no image, or a crop that does not lie inside it.
    """
    from PIL import Image, UnidentifiedImageError

    path = _sample() if source.image == "sample" else relative_to / source.image
    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise ConfigurationError(f"input.image {path} is no image that can be read: {error}") from None
    if source.crop is not None:
        top, left, height, width = source.crop
        if min(top, left) < 0 or min(height, width) < 1 or top + height > image.height or left + width > image.width:
            raise ConfigurationError(
                f"input.crop: expected top, left, height, width inside {image.height} × {image.width} pixels, "
                f"got {list(source.crop)}"
            )
        image = image.crop((left, top, left + width, top + height))
    if source.resize is not None:
        height, width = source.resize
        if min(height, width) < 1:
            raise ConfigurationError(f"input.resize: expected a positive height and width, got {list(source.resize)}")
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    pixels: NDArray[Any] = np.asarray(image, np.float64).transpose(2, 0, 1)
    deviation = np.maximum(pixels.std(axis=(1, 2), keepdims=True), 1e-6)
    normal: NDArray[np.float32] = ((pixels - pixels.mean(axis=(1, 2), keepdims=True)) / deviation).astype(np.float32)
    return normal[None]


def _sample() -> Path:
    """Return the photograph of Grace Hopper (public domain) that matplotlib ships."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
