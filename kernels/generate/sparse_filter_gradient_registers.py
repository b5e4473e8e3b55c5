"""Arguments and scalar registers of the sparse direct filter gradients of stride 1."""

from __future__ import annotations

ARGUMENTS = [
    ("tiles", "buffer"),
    ("dense", "buffer"),
    ("sums", "buffer"),
    ("lanes", "u32"),
    ("channels", "u32"),
    ("height", "u32"),
    ("blocks", "u32"),  # of columns in a row
    ("rows", "u32"),  # images · blocks · height
    ("rows_per_slice", "u32"),
    ("dense_height", "u32"),
    ("dense_quads", "u32"),  # quads of columns of a row of v
    ("pad_h", "u32"),
    ("image_tiles", "u32"),  # channels of an image / 16
    ("slot_bytes", "u32"),
    ("slice_stride", "u32"),
    ("swap", "u32"),
    ("partial", "u32"),
]

TILE_C, CHUNK, QUAD = 16, 16, 4
HEADER = 64 + TILE_C * 4

# Scalar registers: 32–63 and 64–95 two sets of 16 pairs.
COUNTS, NEXT_COUNTS, PITCH, NEXT_PITCH, SLOT, NEXT, LOW, HIGH, JUMP, BASE = 0, 4, 8, 9, 10, 12, 14, 16, 18, 20
ROW_OFFSET, OVER, RESOURCE, COLUMN, STEP, ROWS_LEFT, ROW = 21, 22, 24, 28, 29, 30, 31
PAIRS = (32, 64)
SLOT_STEP, ROW_BYTES, DENSE_HEIGHT, ROW_AT, ROW_END, FIRST = range(96, 102)
COUNT_OFFSET = "flat_scratch_lo"
COUNT = "vcc_lo"
DENSE = ("flat_scratch_hi", "vcc_hi")
# Arguments while they are loaded as blocks.
A_TILES, A_DENSE, A_SUMS = 32, 34, 36
A_LANES, A_CHANNELS, A_HEIGHT, A_BLOCKS, A_ROWS, A_SHARE, A_P, A_Q, A_PAD, A_IMAGE_TILES = range(38, 48)
A_SLOT, A_SLICE, A_SWAP, A_PARTIAL = range(48, 52)
# Lanes of the vector register that keeps scalars.
K_ARGS, K_X, K_Y, K_Z, K_WAVE, K_NEXT, K_END = 0, 2, 3, 4, 5, 6, 7
