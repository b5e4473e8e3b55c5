/* Software conversion of a dense strided matrix to ELLPACK-DIB tiles (docs/formats.md): the baseline of the compaction
   engine. One wavefront a tile; grid 64 · tiles, work-group 64. tile_rows and tile_columns are at most 64; strides in
   elements. Lane r converts row r. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void dense_to_ellpack_dib(__global const float *restrict x, __global uint *restrict tiles, uint rows, uint columns,
                          uint row_stride, uint column_stride, uint tile_rows, uint tile_columns, uint tiles_across,
                          uint slot_bytes) {
  __local uint counts[64];
  uint l = get_local_id(0), tile = get_group_id(0);
  uint r = tile / tiles_across * tile_rows + l, c0 = tile % tiles_across * tile_columns;
  __global uint *out = tiles + tile * (slot_bytes / 4u);
  uint header = 16u + ((tile_rows + 15u) & ~15u);
  uint width_here = min(tile_columns, columns - c0);
  uint count = 0;
  __global const float *row = x + (r * row_stride + c0 * column_stride);
  if (l < tile_rows && r < rows)
    for (uint c = 0; c < width_here; c++) count += (as_uint(row[c * column_stride]) << 1) != 0u;
  counts[l] = count;
  barrier(CLK_LOCAL_MEM_FENCE);
  uint widest = 0, total = 0;
  for (uint i = 0; i < 64u; i++) {
    widest = max(widest, counts[i]);
    total += counts[i];
  }
  uint pitch = (widest + 7u) & ~7u;
  if (l < 16u) out[l] = l == 0u ? pitch : l == 1u ? total : 0u;
  if (l < header - 16u) out[16u + l] = count;
  if (l < tile_rows) {
    __global uint *pair = out + header + l * pitch * 2u;
    uint at = 0;
    if (count != 0u)
      for (uint c = 0; c < width_here; c++) {
        uint bits = as_uint(row[c * column_stride]);
        if ((bits << 1) != 0u) {
          pair[at * 2u] = bits;
          pair[at * 2u + 1u] = c;
          at++;
        }
      }
    for (; at < pitch; at++) {
      pair[at * 2u] = 0u;
      pair[at * 2u + 1u] = 0u;
    }
  }
}
