"""graph/op/testdata/golden/crop_and_resize.json, of Pillow 12 or newer, which torchvision's antialiased resize follows."""
import numpy as np
from PIL import Image

import golden

UNIT = 1 << 16


def case(name, shape, size, box, flip=False):
    """shape of the picture and size of the image: rows, columns; box: top, left, height, width in pixels."""
    rows, columns = shape
    y, x, c = np.indices((rows, columns, 3))
    picture = ((y * 71 + x * 37 + c * 101 + y * x * 13) % 256).astype(np.uint8)
    draw = [round(v * UNIT) for v in box]
    top, left, height, width = (v / UNIT for v in draw)
    channels = []
    for k in range(3):  # as floats, which Pillow does not round between the two directions
        image = Image.fromarray(picture[:, :, k].astype(np.float32))
        image = image.resize((size[1], size[0]), Image.BILINEAR, box=(left, top, left + width, top + height))
        channels.append(np.asarray(image))
    y = np.stack(channels, -1) / np.float32(255)
    if flip:
        y = y[:, ::-1]
    return golden.case(name, {"height": size[0], "width": size[1]}, {
        "pictures": picture.reshape(1, rows * columns, 3).astype(np.int64),
        "draws": np.array([[rows, columns] + draw + [int(flip)]], np.int64),
        "y": y[None].astype(np.float32)})


golden.write(golden.OPS, "crop_and_resize.json", [
    case("as it is", (5, 6), (5, 6), (0, 0, 5, 6)),
    case("larger", (4, 5), (7, 9), (0, 0, 4, 5)),
    case("smaller", (17, 13), (5, 4), (0, 0, 17, 13)),
    case("mirrored box", (12, 15), (6, 6), (3, 2, 7, 9), True),
    case("fractions", (14, 11), (5, 6), (1.25, 0.4375, 9.7, 8.3)),
    case("much smaller", (31, 24), (3, 2), (0.5, 1, 30, 22.5)),
    case("one pixel", (6, 6), (3, 4), (2, 3, 1, 1)),
    case("up and down", (20, 5), (6, 9), (1, 1, 18, 3)),
])
