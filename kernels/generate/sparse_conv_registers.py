"""Arguments and scalar registers of the sparse direct convolutions of sparse_conv and sparse_conv_strided."""

from __future__ import annotations

ARGUMENTS = [
    ("tiles", "buffer"),
    ("b", "buffer"),
    ("c", "buffer"),
    ("bias", "buffer"),
    ("F", "u32"),  # filters of the group
    ("ldb", "u32"),  # elements from tap to tap
    ("height", "u32"),  # rows of an image of X
    ("out_height", "u32"),
    ("out_width", "u32"),
    ("rows", "u32"),  # images · out_height
    ("pad_h", "u32"),
    ("pad_w", "u32"),
    ("filter_height", "u32"),
    ("channel_tiles", "u32"),  # channels of the group / 16
    ("image_tiles", "u32"),  # channels of an image / 16
    ("slot_bytes", "u32"),
    ("c_filter_stride", "u32"),  # elements of y
    ("c_image_stride", "u32"),
    ("total_slices", "u32"),
    ("c_slice_stride", "u32"),
    ("flip", "u32"),
    ("waves", "u32"),
    ("slice_shift", "u32"),
]

TILE_C = 16
GROUP = 4
CHUNK = 16
HEADER = 64 + TILE_C * 4

COUNTS, NEXT_COUNTS = 0, 96
JUMP, LOW, HIGH, ROW_OFFSET, PITCH, B_RESOURCE = 4, 6, 8, 10, 11, 12
SLOT, NEXT, NEXT_PITCH, R_LEFT, TILES_LEFT = 16, 18, 20, 21, 22
R_STEP, T_STEP, B_OFFSET, B_STEP, B_R_ADJUST, B_T_ADJUST, GROUPS = 23, 24, 25, 26, 27, 28, 29
ENTRY = ("s30", "s31", "vcc_lo", "vcc_hi")
RETURN, R_TOTAL = "flat_scratch_lo", "flat_scratch_hi"
OVER = 100
PAIRS = (32, 64)
# Arguments as they are loaded in blocks, before and after the loop.
A_POINTERS = 32  # tiles, b, c, bias
A_F, A_LDB, A_HEIGHT, A_P, A_Q, A_ROWS, A_PAD_H, A_PAD_W = range(40, 48)
A_R, A_TILES, A_IMAGE_TILES, A_SLOT, A_C_FILTER, A_C_IMAGE, A_SLICES, A_C_SLICE = range(48, 56)
A_FLIP, A_WAVES, A_SLICE_SHIFT = 56, 57, 58
KEPT_ARGUMENTS, KEPT_F0, KEPT_ROW, KEPT_IMAGE, KEPT_Z, KEPT_WAVE, KEPT_SLICE = 0, 2, 3, 4, 5, 6, 7
T = 60  # scratch SGPRs 60 … 79 in the prologue
