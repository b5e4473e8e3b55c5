"""Arguments and scalar registers of sparse_block_conv."""

from __future__ import annotations

ARGUMENTS = [
    ("tiles", "buffer"),
    ("b", "buffer"),
    ("partial", "buffer"),
    ("work", "buffer"),
    ("y", "buffer"),
    ("bias", "buffer"),  # may be null
    ("counters", "buffer"),  # one a block whose channels are shared out, 0 before the first launch
    ("F", "u32"),  # filters of the group, elements from tap to tap of b
    ("channels", "u32"),  # of the group
    ("slot_bytes", "u32"),
    ("channel_tiles", "u32"),  # tiles from channel to channel
    ("strips", "u32"),
    ("header_bytes", "u32"),  # of a tile
    ("y_row_bytes", "u32"),
    ("y_filter_bytes", "u32"),
    ("flip", "u32"),
]

WAVES = 4
CHUNK = 16
JUMP, CUR, HIGH, NEXT, RESOURCE = 16, 18, 20, 22, 24
OFFSET, LEFT = 28, 31
PITCH = (29, 30)
PAIRS = (32, 64)
ROW_STEP, STRIPS4, ROW8, COUNTS_OFFSET = "s96", "s97", "s98", "s99"
BASE, B_OFFSET, TOUCH = "s10", "s11", 12
B_ROW, B_BACK, CHANNEL, HEADER = "s100", "s101", "flat_scratch_lo", "flat_scratch_hi"
KEPT_LINE, KEPT_WAVE, KEPT_PLACE, KEPT_ROWS, KEPT_FILTER, KEPT_ARGUMENTS = 0, 2, 3, 4, 5, 6
A_POINTERS = 32  # tiles, b, partial, work, y, bias
A_F, A_CHANNELS, A_SLOT, A_CHANNEL_TILES, A_STRIPS, A_HEADER, A_Y_ROW, A_Y_FILTER, A_FLIP = range(44, 53)
E_COUNTERS = 54
E_FIRST, E_NUMBER, E_BLOCK, E_OUT, E_ROWS = range(56, 61)  # behind the loop: the second line of the table
E_LINE, E_AT, E_EXEC, E_INSIDE, E_FILTER = 20, 11, 18, 22, 23
LINE_BYTES = 64  # of the table, for a group
W_ROW, W_FILTER, W_TILE, W_CHANNEL, W_COUNT, W_PLACE, W_ROWS = range(56, 63)
T = 64
